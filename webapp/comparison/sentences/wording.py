"""How results are written for people: numbers, and what verdict sentences are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from webapp.comparison.cells import Cell, Comparison, MeansComparison, Refusal, SeedsComparison
from webapp.comparison.comparisons import Compared, Tested, joint_fate
from webapp.comparison.metrics import ComparisonMetric
from webapp.comparison.table import StageTable
from webapp.files.number_text import p_is, percent, percent_of_level, points, signed
from webapp.files.table import Statement
from webapp.statistics import power
from webapp.statistics.families import Role
from webapp.statistics.intervals import Interval
from webapp.statistics.new_problems import FEWEST_SEEDS
from webapp.statistics.verdicts import FEWEST, Verdict


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
    reach: str = ""  # what problems a positive verdict over seeds holds for, a sentence
    strip: tuple[tuple[str, str], ...] = ()  # the numbers one by one: what each is, and the number
    scope: str = ""  # a tag beside the headline: not shown for new problems, or at odds with its interval

    @property
    def label(self) -> str:
        """What the comparison is to the experiment."""
        return ROLES[self.role]

    @property
    def text(self) -> str:
        """All of it on one line."""
        return f"{self.label}: {super().text}"


def without_a_p(one: Comparison | MeansComparison) -> Comparison | MeansComparison:
    """One seed of several, which tells its difference and interval alone until there is a verdict."""
    return replace(one, p=None)


def corrected(one: Tested | SeedsComparison) -> str:
    """The p that its family leaves; nothing where it stands alone."""
    if one.family.tests == 1 or one.adjusted_p is None:
        return ""
    return f", {p_is(one.adjusted_p)} after Bonferroni over {one.family.tests} comparisons"


def speaks_for(one: Comparison | MeansComparison | SeedsComparison, table: StageTable) -> str:
    """Which problems its interval is about, and its interval for new ones where there is one."""
    new, asked = one.new_problems, f"{one.problems:,} problems"
    over = isinstance(one, SeedsComparison)
    no_crossed = isinstance(one, SeedsComparison) and not one.interim and len(one.seeds) < FEWEST_SEEDS
    if over:
        said = f"Its interval speaks for these {asked}, which all seeds share"
    else:
        said = f"Its interval takes the {asked} as drawn one by one"
    if new is not None:
        drawn = f"{new.clusters} {table.clusters}" if new.clusters else "problems"
        also = " as well as seeds" if over else ""
        said += (
            f"; with {drawn} drawn anew{also} "
            if over
            else f"; they share {drawn}, and with these drawn anew "
        )
        said += f"the {percent_of_level(one.family.level)} interval is {difference_interval(new.interval, table.metric)}, {p_is(new.p)}"
    elif no_crossed:
        said += f"; from {FEWEST_SEEDS} seeds on an interval for new problems stands beside it"
    return f"{said}.{f' {reach(one, table)}' if one.not_for_new_problems else ''}"


def reach(one: Comparison | MeansComparison | SeedsComparison, table: StageTable) -> str:
    """What problems a verdict holds for; empty where it shows nothing, or nothing is known of new ones and it is of one seed."""
    if not one.verdict.shows:
        return ""
    new = one.new_problems
    if new is None:
        return "It holds for these problems." if isinstance(one, SeedsComparison) else ""
    kind = f"new {table.clusters if new.clusters else 'problems'}"
    if one.not_for_new_problems:
        return f"For {kind} it is not shown."
    return f"It holds for {kind}, too."


def border(one: Tested | SeedsComparison) -> str:
    """A note where test and interval are not of one opinion."""
    if not one.disagrees:
        return ""
    held = "leaves out" if one.interval and one.interval.excludes_zero() else "holds"
    return f" The interval {held} 0 though the test {'does not reject' if held == 'leaves out' else 'rejects'}: they disagree this near the border, and the test decides."


def seen_note(one: Tested | SeedsComparison) -> str:
    """A note where the question was chosen when its outcomes could be seen."""
    return f" {SEEN}" if one.seen else ""


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


def waiting_for(one: SeedsComparison) -> str:
    """How many of the planned seeds are in, as the end of a headline."""
    return f"{len(one.seeds)} of {one.planned} planned seeds are in"


def given_up(
    table: StageTable, cells: Sequence[Sequence[Cell]], compared: Sequence[Compared | None]
) -> tuple[int, ...]:
    """The planned seeds whose comparison will not come: given up by a person, or refused; a place a seed."""
    lost = []
    for seed, those, found in list(zip(table.seeds, cells, compared, strict=True))[: table.plan.seeds]:
        fate = joint_fate(table.fate((cell.condition, cell.stage, cell.seed)) for cell in those)
        if isinstance(found, Refusal) or (found is None and fate == "given up"):
            lost.append(seed)
    return tuple(lost)


def will_not_come(seeds: Sequence[int]) -> str:
    """Which seeds are given up, a sentence without its full stop."""
    return f"Seed{'s' if len(seeds) > 1 else ''} {_listed(seeds)} of the plan will not come"


def undecided(table: StageTable, lost: Sequence[int], so_far: str = "") -> str:
    """The end of a headline while fewer than two seeds are in, of which the `lost` will not come."""
    if table.several_seeds and len(lost) > table.plan.seeds - 2:
        named = will_not_come(lost)
        return f"is not decided: {named[0].lower()}{named[1:]}."
    return f"is not decided yet{so_far and ': '}{so_far}."


def one_seed_of_several(table: StageTable, lost: Sequence[int], what: str) -> str:
    """What one seed does not say, of which the `lost` will not come; `what` it compares."""
    if len(lost) > table.plan.seeds - 2:
        return f"{will_not_come(lost)}, so there is no verdict: one seed compares {what}."
    said = f"Interim: there is no verdict before the planned seeds are in, and one seed compares {what}."
    return f"{said} {will_not_come(lost)}, so the verdict is suggestive at most." if lost else said


def few(one: SeedsComparison) -> bool:
    """Whether it rests on fewer seeds than can support anything, and no more are to come."""
    return len(one.seeds) < FEWEST and not one.interim


def seed_notes(one: SeedsComparison, metric: ComparisonMetric, alpha: float) -> list[str]:
    """What the seeds that it rests on do not say, a sentence each."""
    notes = []
    if one.interim:
        notes.append("Interim: there is no verdict before the planned seeds are in.")
    if one.failed:
        noun = "Seed" if len(one.failed) == 1 else "Seeds"
        notes.append(
            f"{noun} {_listed(one.failed)} failed: retry, or give up what failed; the verdict waits."
        )
    if one.given_up:
        notes.append(f"{will_not_come(one.given_up)}, so the verdict is suggestive at most.")
    if one.stopped:
        notes.append(
            f"Decided at the look after {len(one.seeds)} of {one.planned} seeds, as it was planned; more seeds change nothing."
        )
    if one.later is not None:
        notes.append(_later(one, metric, alpha))
    if few(one):
        notes.append("Two seeds can suggest a difference between conditions, not support one.")
    if one.verdict.word == "not distinguishable" and one.result.interval is not None:
        smallest = power.detectable_over_seeds(one.differences, one.family.alone)
        if metric.kind == "share" and smallest > 1:
            notes.append(f"{len(one.seeds)} seeds with this spread could not have shown any difference.")
        else:
            notes.append(
                f"{len(one.seeds)} seeds with this spread would have shown a difference of about "
                f"{difference(smallest, metric).lstrip('+')} {metric.unit} (80 % power)."
            )
    return notes


def _later(one: SeedsComparison, metric: ComparisonMetric, alpha: float) -> str:
    assert one.later is not None
    interval, decided = "none, as they do not differ", f"the planned {one.planned}"
    if one.stopped:
        decided = f"the {len(one.seeds)} of the look"
    if one.later.interval is not None:
        interval = difference_interval(one.later.interval, metric)
    return (
        f"Exploratory, with the seeds after {decided}: {difference(one.later.mean, metric)} {metric.unit}, "
        f"{percent_of_level(1 - alpha)} t interval {interval}; the verdict stays that of {'those' if one.stopped else 'the planned ones'}."
    )


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def side(one: Tested | SeedsComparison, table: StageTable) -> str:
    """Where a condition that differs is: 'ahead' where more is better, else 'above'; empty where nothing is shown."""
    if one.verdict.word not in ("differ", "supported", "suggestive") or not one.delta:
        return ""
    ahead, behind = ("ahead", "behind") if table.metric.name == "accuracy" else ("above", "below")
    return ahead if one.delta > 0 else behind
