"""Lists of rollouts, one rollout's group, and their files."""
