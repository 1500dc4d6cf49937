"""Filters of pages with rollouts."""
