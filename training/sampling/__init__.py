"""Sampling: greedy and drawn completions of a GPT-2, and the likelihood of given ones."""
