"""Settings that recipes, stages and sources share, changes to them, and what is wrong with them in words (no torch)."""

from training.settings.shared import Reward

__all__ = ["Reward"]  # what a reward of another package is made from: docs/operations.md
