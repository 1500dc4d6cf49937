"""How results are written: numbers for people, and the verdict sentence that stands above a table."""

from dataclasses import dataclass, replace
from statistics import fmean

from webapp.comparison.cells import (
    Cell,
    Comparison,
    MeansComparison,
    Refusal,
    SameRun,
    SeedsComparison,
    UnpairedComparison,
)
from webapp.comparison.comparisons import Tested
from webapp.comparison.metrics import ComparisonMetric
from webapp.comparison.table import StageRow, StageTable
from webapp.files.number_text import (
    UNBROKEN,
    p_is,
    percent,
    percent_of_level,
    points,
    points_interval,
    signed,
)
from webapp.files.table import Statement
from webapp.statistics import power
from webapp.statistics.families import Role
from webapp.statistics.intervals import Interval
from webapp.statistics.proportions import MCNEMAR_NAMES
from webapp.statistics.verdicts import Verdict


def value(of: float, metric: ComparisonMetric, digits: int = 1) -> str:
    """A metric's value: '88.5 %' with so many digits for a share, '12.3' with the metric's own for an amount."""
    return f"{of:.{metric.digits}f}" if metric.kind == "mean" else percent(of, digits)


def difference(of: float, metric: ComparisonMetric, digits: int = 1) -> str:
    """A difference of a metric in its unit: '+11.7' points, '−0.25' mul-tokens."""
    return signed(of, metric.digits) if metric.kind == "mean" else points(of, digits)


def difference_interval(interval: Interval, metric: ComparisonMetric, digits: int = 1) -> str:
    """Both ends of its interval in the same unit."""
    return " to ".join(difference(end, metric, digits) for end in interval)


SEEN = (
    "Chosen after seeing: outcomes that it rests on were there before this experiment was launched, so it is suggestive "
    "at most."
)
ROLES: dict[Role, str] = {
    "primary": "Planned question",
    "secondary": "Secondary",
    "exploratory": "Exploratory",
}  # what stands above a sentence


@dataclass(frozen=True)
class VerdictSentence(Statement):
    """What one comparison says, in words, with its verdict."""

    verdict: Verdict | None  # None: not decided yet
    role: Role = "exploratory"

    @property
    def label(self) -> str:
        """What the comparison is to the experiment."""
        return ROLES[self.role]

    @property
    def text(self) -> str:
        """All of it on one line."""
        return f"{self.label}: {super().text}"


def verdict_sentences(table: StageTable) -> list[VerdictSentence]:
    """What answers the planned question, then what else was compared after the last stages."""
    places = [
        (row, position)
        for row in table.rows
        for position, name in enumerate(table.others)
        if row.last or table.roles.is_primary(row.stage, name)
    ]
    said = [
        replace(
            _verdict_sentence(table, row, position),
            role=table.roles.of(row.stage, table.others[position]).role,
        )
        for row, position in places
    ]
    return sorted(said, key=lambda one: one.role != "primary")


def _verdict_sentence(table: StageTable, row: StageRow, position: int) -> VerdictSentence:
    name = table.others[position]
    if all(isinstance(seed.comparisons[position], SameRun) for seed in row.seeds):
        return VerdictSentence(
            f"After {row.stage}, {name} and {table.baseline} are the same run.",
            "",
            "Both have the settings and the seed of one run, so there is nothing to compare: it counts in no family.",
            None,
        )
    if table.several_seeds and (together := row.over_seeds[position]):
        return _over_seeds(table, row, position, together)
    finished = [(seed, seed.comparisons[position]) for seed in row.seeds if seed.comparisons[position]]
    if not finished:
        so_far = _so_far(table, row, position)
        return VerdictSentence(
            f"After {row.stage}, {name} against {table.baseline} is not decided yet.",
            f"So far: {so_far.headline} {so_far.numbers}" if so_far else "",
            so_far.limits if so_far else f"Both need a finished evaluation on {table.benchmark}.",
            None,
        )
    seed, comparison = finished[0]
    if isinstance(comparison, Refusal):
        return VerdictSentence(
            f"After {row.stage}, {name} and {table.baseline} cannot be compared.",
            "",
            f"Refused because {comparison.reason}.",
            None,
        )
    assert comparison is not None and not isinstance(comparison, SameRun)
    if isinstance(comparison, UnpairedComparison):
        return _unpaired(table, comparison)
    return _one_seed(table, seed.cells[0], seed.cells[position + 1], comparison)


def _so_far(table: StageTable, row: StageRow, position: int) -> VerdictSentence | None:
    """The verdict sentence of the nearest stage before this one that has a comparison."""
    by_name = {one.stage: one for one in table.rows}
    while (before := by_name.get(row.after or "")) is not None:
        if any(seed.comparisons[position] for seed in before.seeds):
            return _verdict_sentence(table, before, position)
        row = before
    return None


def _one_seed(
    table: StageTable, first: Cell, second: Cell, comparison: Comparison | MeansComparison
) -> VerdictSentence:
    metric = table.metric
    if comparison.verdict.word != "not distinguishable":
        side = "ahead of" if comparison.delta > 0 else "behind"
        if table.metric.name != "accuracy":
            side = "above" if comparison.delta > 0 else "below"
        headline = (
            f"After {comparison.stage}, the {second.condition} checkpoint is {side} {first.condition}’s"
            f"{', which is suggestive only' if comparison.verdict.word == 'suggestive' else ''}."
        )
    else:
        headline = (
            f"After {comparison.stage}, the {second.condition} and {first.condition} checkpoints "
            "are not distinguishable."
        )
    numbers = (
        f"{second.condition} {value(second.rate, metric)} ({second.fraction}), "
        f"{first.condition} {value(first.rate, metric)} ({first.fraction}): "
        f"{difference(comparison.delta, metric)} {metric.unit}, {percent_of_level(comparison.family.level)} interval "
        f"{difference_interval(comparison.interval, metric)}; "
        f"{f'{MCNEMAR_NAMES[table.test]} ' if isinstance(comparison, Comparison) else ''}{p_is(comparison.p)}"
        f"{_corrected(comparison)}."
    )
    limits = f"One seed: this compares two checkpoints, not two conditions.{_missing(comparison)}"
    limits += _border(comparison) + _seen(comparison)
    if table.several_seeds:
        limits = f"Of {len(table.seeds)} seeds only seed {comparison.seed} is finished. {limits}"
    return VerdictSentence(headline, numbers, limits, comparison.verdict)


def _corrected(one: Tested | SeedsComparison) -> str:
    """The p that its family leaves; nothing where it stands alone."""
    if one.family.tests == 1 or one.adjusted_p is None:
        return ""
    return f", {p_is(one.adjusted_p)} after Bonferroni over {one.family.tests} comparisons"


def _border(one: Tested | SeedsComparison) -> str:
    """A note where test and interval are not of one opinion."""
    if not one.disagrees:
        return ""
    held = "leaves out" if one.interval and one.interval.excludes_zero() else "holds"
    return f" The interval {held} 0 though the test {'does not reject' if held == 'leaves out' else 'rejects'}: they disagree this near the border, and the test decides."


def _seen(one: Tested | SeedsComparison) -> str:
    """A note where the question was chosen when its outcomes could be seen."""
    return f" {SEEN}" if one.seen else ""


def _unpaired(table: StageTable, one: UnpairedComparison) -> VerdictSentence:
    first, second = one.first / one.first_problems, one.second / one.second_problems
    size = f"n = {one.sizes}".replace(" ", UNBROKEN)
    if one.verdict.positive:
        side = "above" if one.delta > 0 else "below"
        headline = f"After {one.stage}, {one.condition} is {side} {table.baseline} at {size}, unpaired."
    else:
        headline = (
            f"After {one.stage}, {one.condition} and {table.baseline} are not distinguishable at {size}, unpaired"
            f"{_needed(first, second, one.family.alone)}."
        )
    numbers = (
        f"{one.condition} {percent(second, 2)} ({one.second}/{one.second_problems}), "
        f"{table.baseline} {percent(first, 2)} ({one.first}/{one.first_problems}): "
        f"{points(one.delta, 2)} points, Newcombe’s {percent_of_level(one.family.level)} interval {points_interval(one.interval, 2)}; "
        f"Fisher’s exact {p_is(one.p)}{_corrected(one)}."
    )
    limits = (
        "Imported, counts only: without each problem’s outcome the completions cannot be paired. "
        "One run a condition: this compares two checkpoints, not two conditions."
    )
    if one.first_problems != one.second_problems:
        limits += " The two were not asked the same number of problems."
    return VerdictSentence(headline, numbers, limits, one.verdict)


def _needed(first: float, second: float, alpha: float) -> str:
    """How many problems a difference of this size takes; nothing where there is none."""
    if first == second:
        return ""
    needed = power.needed_problems_unpaired(first, second, alpha)
    about = f"about {50 * round(needed / 50):,}" if needed > 100 else str(needed)
    return f"; {about} problems a condition would be needed to see this difference (80 % power)"


def mixed_sizes(table: StageTable) -> str:
    """A warning where stages were evaluated on different numbers of problems; empty where they were not."""
    if not table.sizes:
        return ""
    found = ", ".join(
        f"{stage} {' and '.join(f'{n:,}' if n else 'not published' for n in sizes)}"
        for stage, sizes in table.sizes.items()
        if sizes
    )
    return (
        f"Stages were evaluated on different numbers of problems ({found}): compare conditions within a row, "
        "not one such stage with another."
    )


def _missing(comparison: Comparison | MeansComparison) -> str:
    if comparison.verdict.word != "not distinguishable" or isinstance(comparison, MeansComparison):
        return ""
    smallest = power.detectable(comparison.counts.problems, comparison.discordant, comparison.family.alone)
    return (
        f" {comparison.counts.problems} problems would have shown a difference of about "
        f"{points(smallest).lstrip('+')} points (80 % power)."
    )


def _over_seeds(
    table: StageTable, row: StageRow, position: int, together: SeedsComparison
) -> VerdictSentence:
    metric = table.metric
    name, count = together.condition, len(together.differences)
    words = {
        "supported": f"After {row.stage}, a difference between {name} and {table.baseline} is supported.",
        "suggestive": f"After {row.stage}, a difference between {name} and {table.baseline} is suggestive only.",
        "not tested": f"After {row.stage}, {name} and {table.baseline} differ by the same in every seed, which is not tested.",
    }
    headline = words.get(
        together.verdict.word, f"After {row.stage}, {name} and {table.baseline} are not distinguishable."
    )
    paired = Comparison | MeansComparison
    compared = [seed for seed in row.seeds if isinstance(seed.comparisons[position], paired)]
    first, second = (fmean(seed.cells[i].rate for seed in compared) for i in (0, position + 1))
    result = together.result
    numbers = (
        f"Mean over {count} seeds: {name} {value(second, metric)}, {table.baseline} {value(first, metric)}; "
        f"paired difference {difference(result.mean, metric)} {metric.unit}"
    )
    level = percent_of_level(together.family.level)
    if result.interval is not None and result.p is not None:
        numbers += (
            f", {level} t interval {difference_interval(result.interval, metric)}; {p_is(result.p)}"
            f"{_corrected(together)}."
        )
    else:
        numbers += (
            ", the same in every seed, so there is no spread between seeds to test it by; over their problems the "
            f"seeds’ own {level} intervals lie within {difference_interval(together.within, metric)}."
        )
    return VerdictSentence(headline, numbers, _limits_over_seeds(table, together), together.verdict)


def _limits_over_seeds(table: StageTable, together: SeedsComparison) -> str:
    count = len(together.differences)
    limits = []
    if count < len(table.seeds):
        limits.append(f"{count} of {len(table.seeds)} seeds are finished.")
    if together.verdict.word == "not tested":
        limits.append(
            "A test over seeds needs seeds that differ; each seed’s own comparison is in its row. Add seeds to test it."
        )
    if count < 3:
        limits.append("Two seeds can suggest a difference between conditions, not support one.")
    if together.verdict.word == "not distinguishable" and together.result.interval is not None:
        smallest = power.detectable_over_seeds(together.differences, together.family.alone)
        limits.append(
            f"{count} seeds with this spread would have shown a difference of about "
            f"{difference(smallest, table.metric).lstrip('+')} {table.metric.unit} (80 % power)."
        )
    if together.seen:
        limits.append(SEEN)
    return " ".join(limits)
