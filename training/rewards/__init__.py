"""Components of the GRPO reward: one module each and one entry in KINDS, and those of installed plug-ins."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from training.rewards import plugins
from training.rewards.correct import CorrectReward
from training.rewards.partial_credit import PartialCreditReward
from training.rewards.repetition import RepetitionReward
from training.rewards.short_response import ShortResponseReward
from training.rewards.shows_steps import ShowsStepsReward
from training.rewards.tally import RewardTally
from training.rewards.uses_mul_tokens import UsesMulTokensReward
from training.settings.registry import by_name, union
from training.settings.reward import Reward

KINDS: tuple[type[Reward], ...] = (
    CorrectReward,
    PartialCreditReward,
    ShowsStepsReward,
    UsesMulTokensReward,
    ShortResponseReward,
    RepetitionReward,
)
OWN: Mapping[str, type[Reward]] = by_name("reward", KINDS)
PLUGINS = plugins.installed(OWN)
REWARDS: Mapping[str, type[Reward]] = {**OWN, **{p.name: p.reward for p in PLUGINS if p.reward is not None}}


def _usable(item: Any) -> Any:
    """Refuse a plug-in that is there but broken by saying so, not as a name that nobody knows."""
    name = item.get("reward") if isinstance(item, dict) else None
    for plugin in PLUGINS:
        if plugin.name == name and name not in REWARDS:
            raise ValueError(f"reward {name!r} of {plugin.package}: {plugin.problem}")
    return item


if TYPE_CHECKING:
    AnyReward = Reward
else:
    AnyReward = Annotated[union("reward", REWARDS.values()), BeforeValidator(_usable)]


def components(
    completion: str,
    reference: str,
    *,
    mul_tokens: int,
    rewards: Sequence[Reward],
    tally: RewardTally | None = None,
) -> dict[str, float]:
    """Return each component's contribution, weight applied; the reward is their sum.

    A correct answer gets nothing else: the other components are then 0, those that cost included. Raises ValueError
    where a plug-in's score is no finite number. With a tally a plug-in's error or None pays 0 and is counted.
    """
    tally = tally or RewardTally(may_fail=())
    scores = {
        one.reward: one.weight * tally.score(one, completion, reference, mul_tokens=mul_tokens)
        for one in rewards
    }
    for name, score in scores.items():
        if not math.isfinite(score):
            raise ValueError(
                f"reward {name!r} gave {score} for the completion {completion!r}; fix its score()"
            )
    if scores.get("correct", 0.0) > 0:
        return {name: score if name == "correct" else 0.0 for name, score in scores.items()}
    return scores


def total(contributions: Mapping[str, float]) -> float:
    """Return the reward: the sum of the contributions."""
    return sum(contributions.values())
