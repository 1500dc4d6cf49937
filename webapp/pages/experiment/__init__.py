"""One experiment's page."""
