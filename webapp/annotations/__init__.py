"""Labels and comments that people put on single completions: rollouts and outcomes."""
