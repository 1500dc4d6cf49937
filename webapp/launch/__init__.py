"""Launching: a recipe as a form or as text, its plan, what it can reuse, and the rows that workers take."""
