"""Counting: a stage that only counts."""
