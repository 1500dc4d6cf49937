"""What stands in a stage table: one condition's numbers, and two conditions compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from webapp.comparison.metrics import ComparisonMetric
from webapp.results.outcome_counts import PairCounts, Tally
from webapp.results.samples import Sampled
from webapp.results.token_counts import Measured
from webapp.statistics import amounts, proportions
from webapp.statistics.families import Family
from webapp.statistics.intervals import Interval
from webapp.statistics.new_problems import ForNewProblems
from webapp.statistics.seeds import OverSeeds
from webapp.statistics.verdicts import Verdict

SHARED = {
    "problems_sha256": "the problems",
    "prompt_format": "the prompt format",
    "decoding": "the decoding",
    "max_new_tokens": "the token limit",
    "grader": "the grader",
}  # what two evaluations must have in common to be compared
SHARED_SAMPLES = {"temperature": "the temperature"}  # and what their samples must


@dataclass(frozen=True)
class Cell:
    """One condition after one stage with one seed; numbers only when every problem has its outcome."""

    condition: str
    stage: str
    seed: int
    metric: ComparisonMetric
    run: int | None  # id of the stage run
    state: str  # of the stage run
    tally: Tally | None  # finished or not
    reused: str = ""  # names the run that computed it, in another experiment or condition
    reused_from: int | None = None  # its id, while it is there
    sampled: Sampled | None = None  # for pass@k, when all are drawn
    measured: Measured | None = None  # for an amount

    @property
    def complete(self) -> bool:
        """True when there is a number to show."""
        tally = self.tally
        if self.metric.k is not None:
            return self.sampled is not None and self.sampled.least >= self.metric.k
        return tally is not None and tally.complete and tally.mean(self.metric.column) is not None

    @property
    def computed_by(self) -> int | str | None:
        """The run that computed it, wherever: its id, or its name where it is gone."""
        return self.reused_from or self.reused or self.run

    @property
    def empty(self) -> bool:
        """True when the evaluation asked no problem, so that there never is a number."""
        return self.tally is not None and self.tally.empty

    @property
    def result(self) -> Tally:
        """The finished tally; only for a complete cell."""
        assert self.tally is not None and self.complete
        return self.tally

    @property
    def count(self) -> int | None:
        """Completions that the metric counts; None where only their share was published, for pass@k and an amount."""
        return self.result.count(self.metric.column) if self.metric.kind == "share" else None

    @property
    def rate(self) -> float:
        """Their share of the problems; the mean chance of pass@k; the mean amount."""
        if self.metric.k is not None:
            return float(self.each.mean())
        rate = self.result.mean(self.metric.column)
        assert rate is not None
        return rate

    @property
    def fraction(self) -> str:
        """The count and what it is out of: '11/500'; for pass@k '500 × 16 samples'; of an amount '4,500 in 500'."""
        if self.sampled is not None:
            return f"{self.result.problems} × {self.sampled.least} samples"
        if self.metric.kind == "mean" and (total := self.result.count(self.metric.column)) is not None:
            return f"{total:,} in {self.result.problems:,}"
        if self.count is None:
            return "no count published"
        return f"{self.count:,}/{self.result.problems:,}"

    @cached_property
    def each(self) -> NDArray[np.float64]:
        """Each problem's chance of pass@k, or its amount; only for a complete cell of such a metric."""
        if self.metric.k is not None:
            assert self.sampled is not None
            return self.sampled.pass_at(self.metric.k)
        assert self.measured is not None
        return self.measured.values

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems that they are of."""
        found = self.sampled if self.metric.k is not None else self.measured
        assert found is not None
        return found.problems

    @cached_property
    def interval(self) -> Interval | None:
        """The 95 % interval, of a share Wilson's; None where only a rate was published, or no amount differs."""
        if self.sampled is not None:
            return proportions.mean_share(self.each, self.sampled.least)
        if self.metric.kind == "mean":
            return None if self.measured is None else amounts.mean_amount(self.each)
        return None if self.count is None else proportions.wilson(self.count, self.result.problems)

    @property
    def accuracy(self) -> float | None:
        """Share of the problems answered right, whatever the metric; None: not published."""
        return self.result.mean("correct")


def graders_of(cells: Iterable[Cell]) -> tuple[str, ...]:
    """The graders (name/version) of those that have a number, each once, in order."""
    return tuple(
        sorted({str(cell.result.settings.get("grader", "not recorded")) for cell in cells if cell.complete})
    )


def graded_alike(cells: Iterable[Cell]) -> bool:
    """Whether one grader graded all that have a number, so that their seeds may be taken together."""
    return len(graders_of(cells)) < 2


class _Corrected:
    """What every comparison has from its family."""

    family: Family
    new_problems: ForNewProblems | None = None  # what it says of problems that were not asked

    @property
    def adjusted_p(self) -> float | None:
        """Bonferroni's, over the comparisons of its family."""
        p: float | None = self.p  # type: ignore[attr-defined]
        return None if p is None else self.family.adjusted(p)

    @property
    def seen(self) -> bool:
        """Whether outcomes of it were there before the planned question was asked."""
        verdict: Verdict = self.verdict  # type: ignore[attr-defined]
        return verdict.seen

    @property
    def not_for_new_problems(self) -> bool:
        """Whether what it shows is not shown for problems that were not asked."""
        verdict: Verdict = self.verdict  # type: ignore[attr-defined]
        new = self.new_problems
        return new is not None and verdict.shows and new.p >= self.family.alone

    @property
    def disagrees(self) -> bool:
        """Whether its interval holds 0 though its test rejects, or the other way round."""
        p: float | None = self.p  # type: ignore[attr-defined]
        interval: Interval | None = self.interval  # type: ignore[attr-defined]
        return (
            p is not None
            and interval is not None
            and (p < self.family.alone) != self.family.rejected_by(interval)
        )


@dataclass(frozen=True)
class Comparison(_Corrected):
    """A condition's checkpoint against the baseline's after the same stage and seed, on the same problems."""

    kind: ClassVar[str] = "pairs"
    pairing: ClassVar[str | None] = "paired"
    condition: str
    stage: str
    seed: int
    counts: PairCounts
    interval: Interval  # of the difference, at its family's level as of every comparison here
    p: float | None  # McNemar's, as the recipe chose it; None before the planned seeds are in
    family: Family
    verdict: Verdict
    new_problems: ForNewProblems | None = None  # with clusters of problems drawn

    @property
    def delta(self) -> float:
        """Condition minus baseline, as a proportion."""
        return (self.counts.gained - self.counts.lost) / self.counts.problems

    @property
    def problems(self) -> int:
        """Problems that both were asked."""
        return self.counts.problems

    @property
    def discordant(self) -> float:
        """Share of problems on which the two disagree."""
        return (self.counts.gained + self.counts.lost) / self.counts.problems


@dataclass(frozen=True)
class MeansComparison(_Corrected):
    """The same by pass@k or by an amount: the mean over problems of a difference each."""

    kind: ClassVar[str] = "means"
    pairing: ClassVar[str | None] = "paired"
    condition: str
    stage: str
    seed: int
    problems: int
    delta: float  # condition minus baseline, as a proportion or in the amount's unit
    interval: Interval  # of it, as Bonett and Price's
    p: float | None  # of the same statistic; None before the planned seeds are in
    family: Family
    verdict: Verdict
    new_problems: ForNewProblems | None = None  # with clusters of problems drawn


@dataclass(frozen=True)
class UnpairedComparison(_Corrected):
    """The same of which only counts are known, so that no problem's two completions can be paired."""

    kind: ClassVar[str] = "counts"
    pairing: ClassVar[str | None] = "unpaired"
    condition: str
    stage: str
    seed: int
    first: int  # the baseline's count, of
    first_problems: int
    second: int
    second_problems: int
    interval: Interval  # of the difference, Newcombe's for independent proportions
    p: float | None  # Fisher's exact; None while planned seeds of one of both are to come
    family: Family
    verdict: Verdict

    @property
    def delta(self) -> float:
        """Condition minus baseline, as a proportion."""
        return self.second / self.second_problems - self.first / self.first_problems

    @property
    def sizes(self) -> str:
        """How many problems each was asked: '500', or '1,319 and 500' where that differs."""
        return " and ".join(f"{n:,}" for n in dict.fromkeys((self.first_problems, self.second_problems)))


@dataclass(frozen=True)
class Refusal:
    """Two finished evaluations that must not be compared."""

    kind: ClassVar[str] = "refused"
    condition: str
    stage: str
    seed: int
    reason: str


@dataclass(frozen=True)
class SameRun:
    """One run that both conditions have: its checkpoint is not compared with itself, and counts in no family."""

    kind: ClassVar[str] = "same"
    condition: str
    stage: str
    seed: int


@dataclass(frozen=True)
class SeedsComparison(_Corrected):
    """A condition against the baseline after one stage, by the paired differences of several seeds."""

    kind: ClassVar[str] = "seeds"
    pairing: ClassVar[str | None] = None
    condition: str
    stage: str
    differences: tuple[float, ...]  # one a seed that it rests on
    result: OverSeeds
    family: Family
    verdict: Verdict
    within: Interval  # holds each seed's own interval, over its problems
    seeds: tuple[int, ...]  # that it rests on
    planned: int  # seeds that decide
    problems: int  # that each of them was asked
    given_up: tuple[int, ...] = ()  # seeds it still needs that a person cancelled, or that cannot be compared
    failed: tuple[int, ...] = ()  # seeds it still needs that failed, and may be retried
    stopped: bool = False  # decided at the look that was planned before the end
    later: OverSeeds | None = None  # with the seeds after those that decided: exploratory
    new_problems: ForNewProblems | None = None  # with problems drawn as well as seeds

    @property
    def delta(self) -> float:
        """The mean of the differences."""
        return self.result.mean

    @property
    def interval(self) -> Interval | None:
        """Student's interval of it; None where the seeds do not differ."""
        return self.result.interval

    @property
    def p(self) -> float | None:
        """Student's; None where the seeds do not differ, and before the planned ones are in."""
        return None if self.interim else self.result.p

    @property
    def interim(self) -> bool:
        """Whether planned seeds are still to come."""
        return self.verdict.word == "interim"


def why_not_comparable(first: Tally, second: Tally, metric: ComparisonMetric) -> str:
    """Say what two evaluations differ in that they must share; empty when they may be compared.

    Of published numbers only what was published is held against them: they are compared unpaired.
    """
    published = first.published is not None or second.published is not None
    reasons = []
    for key, noun in (SHARED if metric.k is None else SHARED | SHARED_SAMPLES).items():
        one, other = first.settings.get(key), second.settings.get(key)
        if one is None or other is None:
            if not published:
                reasons.append(
                    f"{noun} are not recorded" if noun.endswith("s") else f"{noun} is not recorded"
                )
        elif one != other:
            values = "" if key == "problems_sha256" else f" ({one} against {other})"
            reasons.append(f"{noun} differ{values}" if noun.endswith("s") else f"{noun} differs{values}")
    if first.problems != second.problems and not published:
        reasons.append(f"{first.problems} problems against {second.problems}")
    return "; ".join(reasons)
