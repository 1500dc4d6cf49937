"""Evaluations, and what they say about conditions."""
