"""How pages show annotations."""
