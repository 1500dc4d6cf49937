"""Finding: a line of the diagnosis, with its evidence, what it is consistent with, and what to try."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.urls import reverse

from webapp.diagnosis.hypotheses import WrittenHypothesis


class Severity(IntEnum):
    """How much a finding weighs; ordered."""

    INFO = 1  # to know when the numbers are read
    WARNING = 2  # the result means less than it seems
    CRITICAL = 3  # the run did not do what it was for

    @property
    def word(self) -> str:
        """As it is written."""
        return self.name.lower()


@dataclass(frozen=True)
class Link:
    """A place where the evidence is to be seen."""

    label: str
    route: str  # name of a URL
    of: str | int  # its argument
    tail: str = ""  # query or fragment

    @property
    def url(self) -> str:
        """Its address in the dashboard."""
        return reverse(self.route, args=[self.of]) + self.tail


@dataclass(frozen=True)
class Advice:
    """Something to try: in the recipe of a hypothesis, or in this experiment with other settings."""

    text: str
    hypothesis: WrittenHypothesis = None  # None: this experiment
    changes: tuple[tuple[str, Any], ...] = ()  # dotted path → value; of a run's finding: within its stage


@dataclass(frozen=True)
class Finding:
    """What the records show, in the words of an audit."""

    kind: str  # which rule: a key of docs/findings.md
    severity: Severity
    headline: str
    evidence: str  # the numbers
    reading: str  # what that is consistent with
    not_shown: str  # what must not be read into it
    links: tuple[Link, ...] = ()
    advice: tuple[Advice, ...] = ()
    onset: int | None = None  # step from which it holds; None: of the whole stage
    run: int | None = None  # stage run; None: of the experiment
    stage: str = ""
    condition: str = ""
    seed: int | None = None
    common: str = ""  # the headline without this run's own figures; empty: it has none
    named: str = ""  # what it is about, where the same is found of several things: a component of the reward

    @property
    def topic(self) -> str:
        """What the same finding is called in every run."""
        return self.common or self.headline

    @property
    def where(self) -> str:
        """'grpo, mul_tokens, seed 0', as far as it is about one of each."""
        seed = f"seed {self.seed}" if self.seed is not None else ""
        return ", ".join(part for part in (self.stage, self.condition, seed) if part)


def figure(value: float) -> str:
    """Three significant digits, the last ones too where they are 0, with a real minus."""
    return f"{value:#.3g}".rstrip(".").replace("-", "−")


def share(value: float) -> str:
    """0.843 → '84.3 %', with a space at which no line breaks."""
    return f"{100 * value:.1f}\u00a0%".replace("-", "−")
