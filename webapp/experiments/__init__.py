"""Experiments: what a person launched, frozen."""
