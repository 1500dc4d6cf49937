"""Plug-ins of each kind as a contributor would add them: new files in added/, entries in entries.py, checks in looks.py."""
