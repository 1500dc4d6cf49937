"""Curriculum: supervised fine-tuning in an ordered list of steps, each with its own data and rate."""
