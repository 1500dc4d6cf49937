"""Rejection sampling: the model learns its own right solutions."""
