"""Intervals, tests, power and trends: pure functions over counts and arrays."""
