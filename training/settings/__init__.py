"""Settings that recipes, stages and sources share, changes to them, and what is wrong with them in words (no torch).

`Reward` is what a reward of another package is made from (docs/operations.md). It is loaded when it is asked for: names of queues lie here too, and the command
line's help reads those without pydantic.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.settings.reward import Reward

__all__ = ["Reward"]


def __getattr__(name: str) -> Any:
    if name == "Reward":
        from training.settings.reward import Reward

        return Reward
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
