"""Teachers: what answers problems so that others learn from the answers; a local checkpoint, or an endpoint (no torch)."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from training.data.example import Example


class TeacherError(ValueError):
    """A teacher that cannot be asked any further; the text says what to do. What it answered so far is kept."""


@dataclass(frozen=True)
class Answer:
    """One sampled completion of a problem."""

    text: str
    ended: bool  # by itself, not at the token limit
    tokens_in: int  # of the prompt
    tokens_out: int
    mul_tokens: int = 0  # among the generated ids; an endpoint returns text, whose names of them are text
    cost: float = 0.0  # in the currency of the settings' prices
    cached: bool = False  # answered in an earlier run, so neither computed nor paid now


class Teacher(Protocol):
    """Samples answers."""

    name: str  # for the log

    def answers(self, problems: Sequence[Example]) -> Generator[list[Answer], None, None]:
        """Yield the samples of each problem, in order; ends early when a budget is spent and that is allowed.

        Close it: requests may be under way. Raises TeacherError, and Stopped when the run is told to stop.
        """
