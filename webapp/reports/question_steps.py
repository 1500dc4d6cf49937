"""What follows for the question that an experiment was launched with: from its verdict, and from what findings advise for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.benchmarks import BENCHMARKS
from training.recipes import recipe as recipes
from training.recipes.planned_question import PlannedQuestion
from training.recipes.recipe import RecipeError
from training.stages import kind
from webapp.comparison.cells import Cell, Comparison, MeansComparison, Refusal, SeedsComparison
from webapp.comparison.contrasts import StageContrast
from webapp.comparison.sentences.wording import difference, reach
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Finding, Severity
from webapp.diagnosis.grouping import grouped
from webapp.diagnosis.rules.spread import MOST
from webapp.diagnosis.trying import to_try
from webapp.experiments.models import Experiment
from webapp.files.number_text import points
from webapp.launch import gallery
from webapp.reports.sections import ListItem
from webapp.runs.models import in_words
from webapp.statistics import power
from webapp.statistics.verdicts import FEWEST

ABOUT_SEEDS = ("seeds_do_not_rank", "too_few_seeds")  # findings whose advice follows from the verdict, too
ABOUT_PROBLEMS = "evaluation_too_small"  # the same of one seed


@dataclass(frozen=True)
class _Step:
    """What one contrast asks for; `seeds` is how many new ones a launch anew has, 0 where it asks for none."""

    text: str
    under: tuple[str, ...] = ()
    seeds: int = 0


def decision_rule(question: PlannedQuestion, alpha: float, seeds: int, threshold: float | None) -> str:
    """What decides a question, and what is done then; fewer than three seeds support nothing (statistics/verdicts.py)."""
    planned = f"{question.described}, α = {alpha:g}, {seeds} seed{'s' if seeds > 1 else ''}"
    add = f"add seeds ({FEWEST} or more) before going on"
    if threshold is not None:
        go = "go on" if seeds >= FEWEST else add
        return f"{planned}; {go} where the interval lies above {points(threshold)} points, no-go where it lies below"
    if seeds >= FEWEST:
        shown = "equivalence is shown" if question.contrast == "equivalence" else "it is supported"
        return f"{planned}; go on where {shown}, else reconsider the approach"
    can, do = (
        ("show it for these checkpoints only", "it does") if seeds == 1 else ("only suggest it", "they do")
    )
    return f"{planned}, which can {can}; where {do}, {add}, else reconsider the approach"


def advised(experiment: Experiment, found: Sequence[Finding]) -> Iterator[ListItem]:
    """What findings that are more than to know advise for this experiment itself, each advice once."""
    said = {
        *ABOUT_SEEDS,
        *([ABOUT_PROBLEMS] if len(experiment.seeds) == 1 and not experiment.imported else ()),
    }
    because: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for group in grouped(found):
        if group.severity == Severity.INFO or group.kind in said:
            continue
        for one in to_try(group, experiment):
            if one.advice.hypothesis is None:
                settings, topics = because.setdefault(one.advice.text, ({}, {}))
                settings |= dict.fromkeys(here.changes for here in one.here)
                topics |= {group.headline: None}
    for text, (settings, topics) in because.items():
        change = (f"Setting: {'; or '.join(settings)}.",) if settings else ()
        yield ListItem(text, (f"Because: {'; '.join(topics)}.", *change))


def after_verdict(table: StageTable) -> Iterator[ListItem]:
    """What to do next, by what the planned question's contrasts say; nothing of published numbers."""
    if table.imported:
        return
    if table.subset is not None:
        yield ListItem(
            f"No next step follows from these results: they are of {table.subset.title}, which nobody planned, and exploratory."
        )
        return
    steps = [(one, step) for one in table.deciding for step in _steps(table, one)]
    if len(table.deciding) > 1:
        yield from (
            ListItem(f"{one.condition} after {one.stage}: {step.text}", step.under) for one, step in steps
        )
        if seeds := max((step.seeds for _, step in steps), default=0):
            text = f"Launch it anew once, with {seeds} seeds: the most that any of these asks for."
            yield ListItem(text, tuple(_repeat(table, seeds)))
        elif any(_decided(one) for one, _ in steps):
            yield ListItem(_rule(table))
    else:
        for one, step in steps:
            decides = (_rule(table),) if _decided(one) else ()
            yield ListItem(
                step.text, (*step.under, *(tuple(_repeat(table, step.seeds)) if step.seeds else decides))
            )
    if not table.several_seeds and any(_tested(one) for one in table.deciding):
        yield _more_seeds(table)


def _tested(one: StageContrast) -> Comparison | MeansComparison | None:
    """What its one seed shows."""
    found = next(iter(one.seeds), None)
    return found if isinstance(found, Comparison | MeansComparison) else None


def _decided(one: StageContrast) -> SeedsComparison | None:
    """What its planned seeds show."""
    return one.over_seeds if one.over_seeds is not None and not one.over_seeds.interim else None


def _steps(table: StageTable, one: StageContrast) -> Iterator[_Step]:
    """What one contrast asks for; nothing where its one seed shows a difference."""
    single = _tested(one)
    if decided := _decided(one):
        yield _after_seeds(table, decided)
    elif table.several_seeds or single is None:
        yield from _unfinished(table, one)
    elif single.verdict.word.startswith("not ") and (needed := _problems(table, single)):
        yield _Step(needed)


def _unfinished(table: StageTable, one: StageContrast) -> Iterator[_Step]:
    """What its planned seeds wait for, and what of them will not come by itself."""
    missing = {
        (cell.condition, cell.stage, cell.seed): cell
        for cells in one.cells[: table.plan.seeds]
        for cell in cells
        if not cell.complete and not cell.empty
    }
    failed = [cell for key, cell in missing.items() if table.fate(key) == "failed"]
    to_come = [cell for key, cell in missing.items() if table.fate(key) == ""]
    if failed:
        yield _Step(f"Retry what failed, or give it up; the verdict waits for {_names(failed)}.")
    if to_come:
        yield _Step(f"Wait for what is still to come, without which there is no verdict: {_names(to_come)}.")
    refusals = [found for found in one.seeds if isinstance(found, Refusal)]
    if refusals:
        yield _Step(
            f"Launch it again with conditions that can be compared; here they cannot, because {refusals[0].reason}."
        )
    elif not failed and not to_come:
        yield _Step(
            "Launch it again: too few of the planned seeds can be compared for a verdict.", seeds=FEWEST
        )


def _names(cells: Sequence[Cell]) -> str:
    return ", ".join(
        f"{cell.stage} {cell.condition} seed {cell.seed} ({in_words(cell.state)})" for cell in cells
    )


def _after_seeds(table: StageTable, found: SeedsComparison) -> _Step:
    """What a verdict over the planned seeds asks for."""
    word = found.verdict.word
    planned = max(found.planned, FEWEST)
    if found.verdict.positive:
        text = "Repeat it with problems that were not asked, then go on: the planned question has its answer"
        shown = "equivalent within the margin" if word == "equivalent" else word
        return _Step(f"{text}, {shown}.", tuple(filter(None, [reach(found, table)])))
    if word == "suggestive":
        text = f"Launch it again with {planned} new seeds, all of them planned beforehand: this verdict is suggestive at most."
        return _Step(text, seeds=planned)
    if word == "not tested":
        text = "Launch it again with more seeds: every seed differs by the same, which leaves nothing to test by."
        return _Step(text, seeds=planned + 2)
    if found.family.margin is not None:
        text = "Plan more seeds, or a wider margin, before another launch: the seeds’ spread is too wide for this margin."
        return _Step(text)
    needed = power.needed_seeds(found.differences, alpha=found.family.alone, most=MOST)
    mean = f"{difference(abs(found.delta), table.metric).lstrip('+')} {table.metric.unit}"
    if needed is None:
        takes = f"a difference of {mean} with this spread would take more than {MOST} of them (80 % power)"
        why = takes if found.delta else "their mean difference is 0"
        text = f"Do not add seeds alone: {why}. Look for a larger effect, or reconsider the approach."
        return _Step(text)
    count = max(needed, planned)
    text = f"Plan {count} new seeds before another launch: {needed} show a difference of {mean} with this spread (80 % power)."
    return _Step(text, seeds=count)


def _problems(table: StageTable, found: Comparison | MeansComparison) -> str:
    """How many problems would show one seed's difference; empty where that is not known, or it has none."""
    if not isinstance(found, Comparison) or found.family.margin is not None or not found.delta:
        return ""
    needed = power.needed_problems(found.delta, found.discordant, found.family.alone)
    asked, size = found.counts.problems, BENCHMARKS[table.benchmark].size
    if needed <= asked:
        return ""
    about = (
        f"if the difference of {points(found.delta)} points and the disagreements stayed as they are, about {needed:,} "
        "problems would show it for these checkpoints (80 % power)"
    )
    if needed > size:
        return f"Do not rely on more problems: {about}, and {table.benchmark} has {size:,}."
    return f"Ask more problems than these {asked:,}: {about}."


def _more_seeds(table: StageTable) -> ListItem:
    """One seed: what others take, and what the one that was seen may still say."""
    experiment = table.experiment
    if not any(kind(stage.kind).leaves_checkpoint for stage in experiment.stages.all()):
        return ListItem(
            f"Train the conditions with {FEWEST} seeds or more: this evaluates checkpoints that there were, so another seed of it "
            "asks the same of them.",
            (_rule(table),),
        )
    (seed,) = experiment.seeds
    two, three = _new_seeds(experiment, 2), _new_seeds(experiment, FEWEST)
    under = (
        f"Seeds {_listed([seed, *two])} (Run again with more seeds): suggestive at most, because what seed {seed} shows was "
        f"seen before they were planned.{_takes(experiment, two)}",
        f"Seeds {_listed(three)}, launched anew: these can support a difference between the conditions.{_takes(experiment, three)}",
        _rule(table),
    )
    text = (
        f"Add two seeds, or launch {FEWEST} new ones: one seed compares two checkpoints, not two conditions."
    )
    return ListItem(text, under)


def _repeat(table: StageTable, count: int) -> Iterator[str]:
    """Which seeds a launch anew has, what it takes, and what decides."""
    seeds = _new_seeds(table.experiment, count)
    yield f"Seeds {_listed(seeds)}, launched anew, so that none of them was seen.{_takes(table.experiment, seeds)}"
    yield _rule(table, count)


def _new_seeds(experiment: Experiment, count: int) -> list[int]:
    first = max(experiment.seeds) + 1
    return list(range(first, first + count))


def _listed(seeds: Sequence[int]) -> str:
    if len(seeds) > 5:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _takes(experiment: Experiment, seeds: Sequence[int]) -> str:
    """What the experiment's own recipe takes with other seeds; nothing where it is of an older form."""
    try:
        recipe = recipes.build(dict(experiment.recipe), [("seeds", list(seeds))])
        return f" Takes {gallery.cost_of(recipe).described}."
    except RecipeError:
        return ""


def _rule(table: StageTable, seeds: int = FEWEST) -> str:
    threshold = table.experiment.recipe.get("go_threshold")
    return f"Decision rule: {decision_rule(table.roles.question, table.alpha, seeds, threshold)}."
