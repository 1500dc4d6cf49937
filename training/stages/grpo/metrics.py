"""What a GRPO step records of its rollouts: pure functions over their rows (no torch)."""

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from training.process.journal import RolloutRow


def of_rollouts(rows: Sequence[RolloutRow], group_size: int) -> dict[str, float]:
    """Every metric that a step's rollouts decide; `rows` are those of all processes, group by group."""
    groups = [rows[start : start + group_size] for start in range(0, len(rows), group_size)]
    return {
        "accuracy": statistics.fmean(row["correct"] for row in rows),
        "repetition": statistics.fmean(row["repeats"] for row in rows),
        "mul_tokens": statistics.fmean(row["mul_tokens"] for row in rows),
        "completion_length": statistics.fmean(row["tokens"] for row in rows),
        "hit_limit": statistics.fmean(row["hit_limit"] for row in rows),
        "groups_without_gradient": statistics.fmean(
            all(row["advantage"] == 0 for row in group) for group in groups
        ),
        **_solved([sum(row["correct"] for row in group) for group in groups], group_size),
        **_lengths(rows),
        **_advantages(rows),
        **_components(rows),
    }


def ks(size: int) -> list[int]:
    """The k of pass@k that a group of so many rollouts has: powers of two, and its size."""
    return sorted({*(2**place for place in range(size.bit_length())), size})


def pass_at(k: int, size: int, right: int) -> float:
    """The chance that one of k rollouts is right, without bias, of `size` of which so many are (Chen et al. 2021, eq. 1)."""
    return 1 - math.comb(size - right, k) / math.comb(size, k)


def _solved(right: Sequence[int], size: int) -> dict[str, float]:
    """Shares of the groups by how many of their `size` rollouts are right, and the mean of their pass@k."""
    return {
        "solved/none": statistics.fmean(one == 0 for one in right),
        "solved/some": statistics.fmean(0 < one < size for one in right),
        "solved/all": statistics.fmean(one == size for one in right),
        **{f"pass_at/{k}": statistics.fmean(pass_at(k, size, one) for one in right) for k in ks(size)},
    }


def _lengths(rows: Sequence[RolloutRow]) -> dict[str, float]:
    """Tokens of completions; nothing of a kind that the step has none of."""
    kinds = {
        "": [row["tokens"] for row in rows],
        "terminated_": [row["tokens"] for row in rows if not row["hit_limit"]],
        "right_": [row["tokens"] for row in rows if row["correct"]],
        "wrong_": [row["tokens"] for row in rows if not row["correct"]],
    }
    found: dict[str, float] = {}
    for kind, tokens in kinds.items():
        if tokens:
            found |= {f"length/{kind}min": float(min(tokens)), f"length/{kind}max": float(max(tokens))}
            if kind:  # the mean of all is completion_length
                found[f"length/{kind}mean"] = statistics.fmean(tokens)
    return found


def _advantages(rows: Sequence[RolloutRow]) -> dict[str, float]:
    """What pulls the policy: rollouts with an advantage above and below 0, and the tokens of either side."""
    known = [(row["advantage"] or 0.0, row["tokens"]) for row in rows]
    above, below = [one for one in known if one[0] > 0], [one for one in known if one[0] < 0]
    found = {"advantage/std": statistics.pstdev(advantage for advantage, _ in known)}
    for name, side in (("positive_mean", above), ("negative_mean", below)):
        if side:
            found[f"advantage/{name}"] = statistics.fmean(advantage for advantage, _ in side)
    if above or below:
        tokens = sum(tokens for _, tokens in above + below)
        found["advantage/positive_tokens"] = sum(tokens for _, tokens in above) / tokens
    return found


def _components(rows: Sequence[RolloutRow]) -> dict[str, float]:
    """Mean and standard deviation, over the rollouts, of what each component of the reward pays."""
    found: dict[str, float] = {}
    for name in rows[0]["components"]:
        paid = [row["components"][name] for row in rows]
        found |= {f"reward/{name}": statistics.fmean(paid), f"reward_std/{name}": statistics.pstdev(paid)}
    return found


class PromptCounts:
    """Which prompts came before, of prompts that are asked in their order, each by a group of its own."""

    def __init__(self, prompts: Iterable[str]) -> None:
        times = Counter[str]()
        self._before: list[int] = []  # how often each one had been asked
        self._seen: list[int] = []  # different ones, up to and with each
        for prompt in prompts:
            self._before.append(times[prompt])
            times[prompt] += 1
            self._seen.append(len(times))

    def of(self, rows: Sequence[RolloutRow]) -> dict[str, float]:
        """Different prompts up to these rollouts, and how often theirs had been asked before, in the mean."""
        groups = sorted({row["group"] for row in rows})
        return {
            "prompts/seen": float(self._seen[groups[-1]]),
            "prompts/repeats": statistics.fmean(self._before[group] for group in groups),
        }
