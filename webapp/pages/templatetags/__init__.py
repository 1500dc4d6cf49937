"""Template tags of results and of downloads."""
