"""What a GRPO step records of its forward passes, summed over them and over all processes."""

import math
from collections import defaultdict
from collections.abc import MutableMapping

import torch
from torch import Tensor

from training.process import ranks

FARTHEST = 20.0  # nats: e^20 is no ratio that anybody reads, and its square still a number
SUMMED_LOSSES = ("dapo", "cispo", "vespo")  # their passes' losses add up to the step's; the others' are means


class StepSums:
    """Weighted means, least and largest values. TRL's mean of its passes' means depends on how a step is cut."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])  # values, weights
        self._least: dict[str, float] = {}
        self._most: dict[str, float] = {}
        self._ratios = _Ratios()

    def add(self, name: str, value: float, weight: float) -> None:
        """Add a pass's mean, of so many things."""
        self._sums[name][0] += value * weight
        self._sums[name][1] += weight

    def take(
        self,
        logged: MutableMapping[str, list[float]],
        *,
        tokens: float,
        clips: float,
        passes: int,
        loss_type: str,
    ) -> None:
        """Take over what TRL logged of one pass; `clips` is what has a ratio of its own: its tokens, or its rollouts."""
        for name, weight in (
            ("kl", tokens),
            ("entropy", tokens),
            ("clip_ratio/region_mean", clips),
            ("clip_ratio/low_mean", clips),
            ("clip_ratio/high_mean", clips),
            ("cispo_clip_ratio", tokens),
        ):
            if logged.get(name):  # to ask for it otherwise would make an empty one
                self.add(name, logged[name].pop(), weight)
        if logged.get("policy_loss"):
            whole = passes if loss_type in SUMMED_LOSSES else 1
            self.add("policy_loss", logged["policy_loss"].pop() * whole, 1)
        for name, ends, which in (
            ("clip_ratio/low_min", self._least, min),
            ("clip_ratio/high_max", self._most, max),
        ):
            if logged.get(name) and not math.isnan(value := logged[name].pop()):
                ends[name] = which(value, ends.get(name, value))

    def compare(self, scored: Tensor, sampled: Tensor, mask: Tensor, *, unmoved: bool) -> None:
        """Add log-probabilities of one process's pass, (rows, tokens) each; `unmoved`: the weights are still the sampler's."""
        self._ratios.add(scored, sampled, mask, unmoved=unmoved)

    def drain(self) -> dict[str, float]:
        """The step's values, for all processes at the same point; start anew."""
        found = {name: total / weight if weight else math.nan for name, (total, weight) in self._sums.items()}
        found |= self._least | self._most | self._ratios.of_all()
        self._sums.clear()
        self._least.clear()
        self._most.clear()
        self._ratios = _Ratios()
        return found


class _Ratios:
    """Probabilities of the sampled tokens: the policy's that learns, by the sampler's."""

    def __init__(self) -> None:
        self._sums = [0.0] * 6
        self._ends = [-math.inf] * 3

    def add(self, scored: Tensor, sampled: Tensor, mask: Tensor, *, unmoved: bool) -> None:
        """Add a pass; tokens that the sampler gave no probability (vLLM's NaN) are left out."""
        apart = (scored - sampled)[mask].double()
        apart = apart[~apart.isnan()]
        if not len(apart):
            return
        size, difference = apart.abs(), apart.clamp(-FARTHEST, FARTHEST)
        ratio = difference.exp()
        count = torch.full_like(ratio[0], len(ratio))
        k3 = ratio - difference - 1  # its mean over sampled tokens is the KL divergence (Schulman 2020)
        sums = torch.stack([count, ratio.sum(), ratio.square().sum(), count, size.sum(), k3.sum()])
        ends = torch.stack([-ratio.min(), ratio.max(), size.max()])
        *values, least, most, farthest = torch.cat([sums, ends]).tolist()  # one wait for the GPU
        known = len(values) if unmoved else 3
        self._sums = [old + new for old, new in zip(self._sums, values[:known] + [0.0] * 3, strict=False)]
        self._ends = [
            max(old, new)
            for old, new in zip(self._ends, [least, most, farthest if unmoved else -math.inf], strict=True)
        ]

    def of_all(self) -> dict[str, float]:
        """Of every process's passes; nothing where there was no token."""
        tokens, total, squares, compared, apart, k3 = ranks.total(*self._sums)
        least, most, farthest = ranks.largest(*self._ends)
        found = {}
        if tokens:
            found = {
                "importance_ratio/min": -least,
                "importance_ratio/mean": total / tokens,
                "importance_ratio/max": most,
                "importance_ratio/ess": total**2 / (tokens * squares),
            }
        if compared:
            found |= {
                "logprob_mismatch": apart / compared,
                "logprob_mismatch/max": farthest,
                "logprob_mismatch/kl": k3 / compared,
            }
        return found
