"""Recipes: what could be run, checked, resolved into one specification a stage run, and planned (no torch)."""
