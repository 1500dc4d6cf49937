"""Comparisons as tables: their sheets, for the page, the report and files."""
