"""What a run records while it happens: metrics, rollouts, log lines."""
