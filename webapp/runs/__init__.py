"""Stage runs, their attempts, checkpoints and workers."""
