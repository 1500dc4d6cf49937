"""An experiment in one line: its planned question's contrasts, or those after its last stages, and each condition's course."""

from dataclasses import dataclass

from webapp.comparison.cells import Refusal, SameRun, SeedsComparison, UnpairedComparison
from webapp.comparison.comparisons import Compared
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.figures import points
from webapp.comparison.sentences.number_strip import ONLY_THESE
from webapp.comparison.sentences.wording import difference, difference_interval, waiting_for
from webapp.comparison.stage_rows import StageRow, finished_mean
from webapp.comparison.table import StageTable, stage_table
from webapp.experiments.models import Experiment
from webapp.files.number_text import percent_of_level, points as points_text
from webapp.results.outcome_counts import NO_PROBLEMS
from webapp.statistics.verdicts import Verdict

USUAL = 0.95  # level of an interval that is written without it


@dataclass(frozen=True)
class ContrastResult:
    """A condition against the baseline after the planned stage, or a last one; or a planned gain or interaction, which goes before."""

    stage: str  # of a gain or an interaction with the one that it starts from
    condition: str
    position: int
    against: str  # what it is set against
    delta: str  # with its sign, and its unit where that is not points; empty while there is none
    verdict: Verdict | None
    note: str  # why there is no difference, or what it lacks
    number: float | None = None  # the difference in its unit
    interval: str = (
        ""  # both ends in its unit, with its level where that is not USUAL; empty where there is none
    )
    problems: str = ""  # that were asked: '600', of published counts perhaps '1,319 and 500'
    these_alone: bool = False  # what it shows is not shown for new problems
    one_seed: bool = False  # it compares two checkpoints, not two conditions

    @property
    def said(self) -> str:
        """The difference in one line; empty while there is none."""
        if not self.delta:
            return ""
        unit = "" if " " in self.delta else " points"
        ends = f", {self.interval}" if self.interval else ""
        return f"{self.condition} {self.against} after {self.stage}: {self.delta}{unit}{ends}"

    @property
    def reach(self) -> tuple[str, ...]:
        """What the difference is of, a tag each: how many problems, one seed, what it lacks; empty while there is none."""
        if not self.delta:
            return ()
        tags = {
            f"n = {self.problems}": bool(self.problems),
            "1 seed": self.one_seed,
            self.note: bool(self.note),
            ONLY_THESE: self.these_alone,
        }
        return tuple(tag for tag, holds in tags.items() if holds)


@dataclass(frozen=True)
class ConditionCourse:
    """What a condition reached after each stage, the mean over its finished seeds of one grader; None: nothing yet."""

    condition: str
    position: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class ExperimentAnswer:
    """What lists say of an experiment's results."""

    contrasts: tuple[ContrastResult, ...]
    metric: str  # its title
    share: bool  # whether the courses are shares, written in percent
    stages: tuple[str, ...]
    courses: tuple[ConditionCourse, ...]  # in the order of the conditions at launch
    order: tuple[
        int | None, ...
    ] = ()  # the stages as a line goes through them, broken (None) between branches

    @property
    def strongest(self) -> tuple[ContrastResult, ...]:
        """The contrasts with those that show something first, then by how large they are, whatever their sign."""

        def shown_last(one: ContrastResult) -> tuple[bool, bool, float]:
            verdict = one.verdict
            return (
                not (verdict and verdict.positive),
                not (verdict and verdict.shows),
                -abs(one.number) if one.number is not None else 0.0,
            )

        return tuple(sorted(self.contrasts, key=shown_last))

    @property
    def so_far(self) -> str:
        """How far a first difference is while nothing is decided: after the last stage that both sides have, in points."""
        undecided = next((one for one in self.contrasts if one.against.startswith("− ")), None)
        course = next(
            (one for one in self.courses if undecided and one.condition == undecided.condition), None
        )
        if undecided is None or course is None or not self.share:
            return ""
        pairs = zip(self.stages, course.values, self.courses[0].values, strict=True)
        both = [(stage, own - base) for stage, own, base in pairs if own is not None and base is not None]
        if not both:
            return ""
        stage, difference = both[-1]
        of = f"{undecided.condition} {undecided.against}"
        return f"{of} after {stage}: {points_text(difference)} points, not decided yet"

    @property
    def reached(self) -> float | None:
        """The most that a condition reached after the last stage with a number."""
        lasts = [known[-1] for one in self.courses if (known := [v for v in one.values if v is not None])]
        return max(lasts, default=None)


def answer(experiment: Experiment) -> ExperimentAnswer:
    """Read it from the outcomes: as many queries as a stage table."""
    table = stage_table(experiment)
    return ExperimentAnswer(
        contrasts=tuple(_planned(table, one) for one in table.contrasts)
        or tuple(_difference(table, row, place) for row, place in _places(table)),
        metric=table.metric.title,
        share=table.metric.kind != "mean",
        stages=tuple(row.stage for row in table.rows),
        courses=tuple(
            ConditionCourse(
                name, table.positions[name], tuple(finished_mean(row.seeds, place) for row in table.rows)
            )
            for place, name in sorted(enumerate(table.conditions), key=lambda one: table.positions[one[1]])
        ),
        order=tuple(points.order(table)),
    )


def _places(table: StageTable) -> list[tuple[StageRow, int]]:
    """The planned differences where the question names a stage or a condition; else those after the last stages, too.

    The latest stage comes first.
    """
    asked = table.roles
    every = [(row, place) for row in reversed(table.rows) for place in range(len(table.others))]
    planned = [(row, place) for row, place in every if asked.is_primary(row.stage, table.others[place])]
    if planned and (asked.question.stage or asked.question.condition):
        return planned
    return [(row, place) for row, place in every if row.last or (row, place) in planned]


def _difference(table: StageTable, row: StageRow, place: int) -> ContrastResult:
    name = table.others[place]
    if table.several_seeds and (together := row.over_seeds[place]):
        return _shown(table, row.stage, name, f"− {table.baseline}", together)
    named = row.stage, name, table.positions[name], f"− {table.baseline}"
    done = [one for seed in row.seeds if (one := seed.comparisons[place]) is not None]
    if done and any(cell.empty for seed in row.seeds for cell in (seed.cells[0], seed.cells[place + 1])):
        return ContrastResult(*named, "", None, NO_PROBLEMS)
    return _shown(table, row.stage, name, f"− {table.baseline}", done[0] if done else None)


def _planned(table: StageTable, one: StageContrast) -> ContrastResult:
    """A planned gain or interaction."""
    against = "gain" if one.kind == "gain" else f"gain − {table.baseline}’s"
    done = [found for found in one.seeds if found is not None]
    found = one.over_seeds if table.several_seeds and one.over_seeds else done[0] if done else None
    return _shown(table, f"{one.start} → {one.stage}", one.condition, against, found)


def _shown(
    table: StageTable, stage: str, condition: str, against: str, found: Compared | SeedsComparison | None
) -> ContrastResult:
    named = stage, condition, table.positions[condition], against
    if found is None:
        return ContrastResult(*named, "", None, "not decided yet")
    if isinstance(found, SameRun):
        return ContrastResult(*named, "", None, "same run")
    if isinstance(found, Refusal):
        return ContrastResult(*named, "", None, "cannot be compared")
    delta, number = difference(found.delta, table.metric), found.delta * table.metric.factor
    if table.metric.kind == "mean":
        delta += f" {table.metric.unit}"
    ends = difference_interval(found.interval, table.metric) if found.interval else ""
    if ends and found.family.level != USUAL:  # several comparisons share the level, or another α was planned
        ends += f" ({percent_of_level(found.family.level)})"
    if isinstance(found, SeedsComparison):
        note = waiting_for(found) if found.interim else ""
        return ContrastResult(
            *named,
            delta,
            found.verdict,
            note,
            number,
            ends,
            f"{found.problems:,}",
            found.not_for_new_problems,
        )
    problems = found.sizes if isinstance(found, UnpairedComparison) else f"{found.problems:,}"
    if table.several_seeds:
        alone = f"seed {found.seed} alone so far"
        return ContrastResult(*named, delta, None, alone, number, ends, problems)
    return ContrastResult(
        *named, delta, found.verdict, "", number, ends, problems, found.not_for_new_problems, one_seed=True
    )
