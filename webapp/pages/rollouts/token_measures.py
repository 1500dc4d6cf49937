"""What tokens can be coloured by: a value a token, in classes with fixed limits, so that any two groups can be compared by colour."""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webapp.telemetry.models import Rollout

Values = Sequence[float | None]


@dataclass(frozen=True)
class TokenMeasure:
    """What tokens are coloured by: a value a token, in classes that `limits` separate and `words` name."""

    title: str
    values: Callable[[Rollout], Values | None]  # None: not recorded
    limits: tuple[float, ...]  # ascending: a value belongs to the class above each limit that it reaches
    words: tuple[str, ...]  # of the classes, one more than limits
    shades: tuple[int, ...]  # of the classes: 0 plain, to 4; below 0 for what is negative
    meaning: str
    zero: str = "top"  # where 0 lies in the chart: top, bottom, middle
    drawn: bool = True

    def shade(self, value: float | None) -> int:
        """How strongly a token with this value is coloured."""
        if value is None or math.isnan(value):
            return 0
        return self.shades[bisect_right(self.limits, value)]

    @property
    def legend(self) -> list[tuple[int, str]]:
        """Shade and words of each class."""
        return list(zip(self.shades, self.words, strict=True))


def _differences(rollout: Rollout) -> Values | None:
    if not rollout.trainer_logprobs or not rollout.logprobs:
        return None
    pairs = zip(rollout.trainer_logprobs, rollout.logprobs, strict=True)
    return [None if None in pair else round(pair[0] - pair[1], 4) for pair in pairs]


def _advantages(rollout: Rollout) -> Values | None:
    if rollout.advantage is None:
        return None
    learnt = rollout.learnt or [True] * len(rollout.pieces or ())
    return [rollout.advantage if counts else None for counts in learnt]


def _masks(rollout: Rollout) -> Values | None:
    return None if rollout.learnt is None else [float(not counts) for counts in rollout.learnt]


def _of_logprobs(title: str, values: Callable[[Rollout], Values | None], meaning: str) -> TokenMeasure:
    return TokenMeasure(
        title,
        values,
        limits=tuple(math.log(share) for share in (0.05, 0.2, 0.5, 0.9)),
        words=("under 5 %", "5 to 20 %", "20 to 50 %", "50 to 90 %", "90 % and more"),
        shades=(4, 3, 2, 1, 0),
        meaning=meaning,
    )


MEASURES: Mapping[str, TokenMeasure] = {  # ?measure= → it
    "sampler": _of_logprobs(
        "Sampler’s log-probability",
        lambda rollout: rollout.logprobs,
        "What the sampler thought of a token when it drew it.",
    ),
    "trainer": _of_logprobs(
        "Trainer’s log-probability",
        lambda rollout: rollout.trainer_logprobs,
        "What the trainer thinks of it on the first pass, with the weights that sampled.",
    ),
    "difference": TokenMeasure(
        "Trainer − sampler",
        _differences,
        limits=(-0.5, -0.1, -0.01, 0.01, 0.1, 0.5),
        words=(
            "less than −0.5", "−0.5 to −0.1", "−0.1 to −0.01", "about equal", "0.01 to 0.1", "0.1 to 0.5", "0.5 and more",
        ),
        shades=(-4, -3, -1, 0, 1, 3, 4),
        meaning="Nats by which the trainer thinks a token likelier than the sampler did. With equal weights it should be about "
        "0; bf16 explains some hundredths.",
        zero="middle",
    ),
    "entropy": TokenMeasure(
        "Entropy",
        lambda rollout: rollout.entropies,
        limits=(0.1, 0.5, 1.0, 2.0),
        words=("under 0.1", "0.1 to 0.5", "0.5 to 1", "1 to 2", "2 nats and more"),
        shades=(0, 1, 2, 3, 4),
        meaning="How open it was which token comes here, in nats, by the trainer.",
        zero="bottom",
    ),
    "advantage": TokenMeasure(
        "Advantage",
        _advantages,
        limits=(-1.5, -0.5, -1e-9, 1e-9, 0.5, 1.5),
        words=("less than −1.5", "−1.5 to −0.5", "−0.5 to 0", "0", "0 to 0.5", "0.5 to 1.5", "1.5 and more"),
        shades=(-4, -3, -1, 0, 1, 3, 4),
        meaning="Which way the loss pushes a token: up where it is positive. It is that of the completion; masked tokens have none.",
        zero="middle",
    ),
    "mask": TokenMeasure(
        "Mask",
        _masks,
        limits=(0.5,),
        words=("learnt from", "masked"),
        shades=(0, 4),
        meaning="Which tokens the loss counts: those of truncated completions are masked where mask_truncated is on.",
        drawn=False,
    ),
}  # fmt: skip


def number(value: float | None) -> str:
    """With three decimals and a real minus."""
    return "unknown" if value is None else f"{value:.3f}".replace("-", "−").replace("−0.000", "0.000")


def percent(logprob: float) -> str:
    """The probability in words: 12.3 %, or less than what can be written so."""
    share = math.exp(logprob)
    return "< 0.1 %" if share < 0.001 else f"{100 * share:.1f} %"
