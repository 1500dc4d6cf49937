"""Staged language-model training, as plain Python and torch: no web, no database."""
