"""GRPO: reinforcement learning on groups of sampled completions."""
