"""Supervised fine-tuning: learn completions given prompts."""
