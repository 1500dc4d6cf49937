"""Comparing conditions and checkpoints in pairs, problem by problem."""
