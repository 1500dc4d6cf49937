"""Data: sources of examples, their mixture, their identity, and their tokens."""
