"""What one stage run computes, counted before it is launched: steps, tokens, rollouts, operations (no torch)."""

from dataclasses import dataclass, fields
from typing import Literal

Unit = Literal["tokens", "rollouts"]


@dataclass(frozen=True)
class Work:
    """Counts that the settings determine, or estimate; they add up."""

    steps: int = 0  # of the optimizer
    rollouts: int = 0  # sampled completions
    learnt: int = 0  # tokens that go forward and backward
    scored: int = 0  # tokens that go forward only: prompts, a reference model, choices
    generated: int = 0  # tokens that are sampled
    decoding_steps: int = 0  # forward passes that wait for each other, each giving a batch one token
    problems: int = 0  # of benchmarks
    outcomes: int = 0  # completions of them: the greedy one, and samples
    kept: int = 0  # tokens that are kept as text: of prompts and completions
    records: int = 0  # metrics records in the journal

    def __add__(self, other: "Work") -> "Work":
        return Work(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def amount(self, unit: Unit) -> int:
        """How much there is of what a kind of stage measures its speed in."""
        return self.rollouts if unit == "rollouts" else self.learnt

    def flops(self, parameters: int) -> float:
        """Floating-point operations on a model of so many parameters.

        2 a parameter and token forwards, 4 backwards (Kaplan et al. 2020, arXiv 2001.08361, section 2.1; as in
        Hoffmann et al. 2022, arXiv 2203.15556). Attention over the context is left out: for GPT-2 124M at 1,024
        tokens it would add less than a tenth.
        """
        return float(parameters) * (6 * self.learnt + 2 * (self.scored + self.generated))


@dataclass(frozen=True)
class Caution:
    """What the settings alone let expect, said before the launch."""

    text: str
    warns: bool  # it makes the stage pointless, unless something changes
    around: tuple[str, str] | None = (
        None  # the text before and after figures of several conditions; None: it has no such figure
    )
    figures: tuple[str, str] = ("", "")  # what is expected of one condition, and what that was told from

    @property
    def shared(self) -> tuple[object, ...]:
        """What is the same for conditions that differ in their figures alone."""
        return (self.around or self.text, self.warns)


def percent(share: float, digits: int = 0) -> str:
    """0.921 → 92 %; next to nothing, but not nothing → under 1 %."""
    least = 10**-digits / 100
    return (
        f"under {least:.{digits}%}".replace("%", " %")
        if 0 < share < least
        else f"{share:.{digits}%}".replace("%", " %")
    )
