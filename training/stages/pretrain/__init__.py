"""Pre-training: next-token prediction on running text, from random weights or a checkpoint."""
