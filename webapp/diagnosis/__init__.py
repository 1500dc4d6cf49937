"""The diagnosis: findings computed from an experiment's records."""
