"""The `mulberry` command: what a person types."""
