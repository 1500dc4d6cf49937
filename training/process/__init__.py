"""One training process: journal, checkpoints, devices, and the processes beside it."""
