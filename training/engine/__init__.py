"""The engine: what every stage does around its trainer, from its parent's checkpoint to its own."""
