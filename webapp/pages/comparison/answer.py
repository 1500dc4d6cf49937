"""The answer in sentences, and its figures for static/js/charts.js, with the page that a click on each point opens."""

from typing import Any

from django.urls import reverse

from training.recipes.planned_question import Contrast
from webapp.comparison.cells import Refusal, SameRun, SeedsComparison
from webapp.comparison.comparisons import Compared
from webapp.comparison.decisions import decisions
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import floor
from webapp.comparison.table import StageTable
from webapp.experiments.planned_question import planned_question
from webapp.files.number_text import percent_of_level
from webapp.pages import flips
from webapp.reports.prediction import predicted

CONTRASTS: dict[Contrast, str] = {
    "gain": "Planned gain",
    "interaction": "Planned difference of the gains",
}
PLACE = "answer"  # id of the element in which they are drawn


def sentences(table: StageTable) -> dict[str, object]:
    """What an experiment's page says of it: verdict sentences that have numbers, what was asked, predicted and held."""
    return {
        "experiment": table.experiment,
        "question": planned_question(table.experiment),
        "decisions": decisions(table),
        "verdict_sentences": [one for one in verdict_sentences(table) if one.numbers],
        "predicted": predicted(table),
        "floor": floor(table),
    }


def charts(table: StageTable) -> list[dict[str, Any]]:
    """What each condition reaches after every stage, how far it is from the baseline, planned gains and interactions.

    Empty before anything is evaluated.
    """
    if not any(cell.complete for cell in table.cells()):
        return []
    from webapp.comparison.figures import answer  # plotly, which nothing else of the server needs

    links = _Links(table)
    figures = [
        _chart(
            "reached",
            table.metric.title,
            _about_rates(table),
            answer.for_page(answer.reached(table, links)),
            percent=table.metric.kind != "mean",
        )
    ]
    if table.others:
        title = f"Δ {table.metric.title[0].lower()}{table.metric.title[1:]}"
        figures.append(
            _chart(
                "difference",
                title,
                _about_differences(table),
                answer.for_page(answer.differences(table, links)),
                percent=False,
            )
        )
    if table.contrasts:
        figures.append(
            _chart(
                "planned",
                CONTRASTS[table.roles.question.contrast],
                f"{table.metric.unit}, {_seeds_and_interval(table)}",
                answer.for_page(answer.contrasts(table, links)),
                percent=False,
            )
        )
    return figures


def _chart(key: str, title: str, unit: str, figure: dict[str, Any], *, percent: bool) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "unit": unit,
        "percent": percent,
        "main": True,
        "latest": None,
        "place": PLACE,
        "figure": figure,
    }


def _about_rates(table: StageTable) -> str:
    if table.several_seeds:
        return "mean over seeds, from three on with its 95 % t interval; a short tick is one seed"
    return "with its 95 % interval"


def _about_differences(table: StageTable) -> str:
    return f"{table.metric.unit}, {_seeds_and_interval(table)}"


def _seeds_and_interval(table: StageTable) -> str:
    if not table.several_seeds:
        return f"with the interval that the verdict goes by{_levels(table)}"
    compared = [one for row in table.rows for one in row.over_seeds]
    compared += [one.over_seeds for one in table.contrasts]
    interval = (
        "with its interval, which is interim while planned seeds are to come"
        if any(one is not None and one.interim for one in compared)
        else f"with the interval that the verdict goes by{_levels(table)}"
    )
    return f"mean over seeds, from three on {interval}; a short tick is one seed"


def _levels(table: StageTable) -> str:
    """At which level the bars after each stage are: ': 95 %'; ': 95 % after grpo, 99 % (corrected) after the others'."""
    found: dict[float, list[str]] = {}
    for row in table.rows:
        compared: list[Compared | SeedsComparison | None] = [*row.over_seeds]
        if not table.several_seeds:
            compared = [one for seed in row.seeds for one in seed.comparisons]
        for one in compared:
            if one is not None and not isinstance(one, Refusal | SameRun):
                stages = found.setdefault(one.family.level, [])
                stages += [row.stage] if row.stage not in stages else []
    if len(found) < 2:
        return "".join(f": {_level(table, level)}" for level in found)
    parts = [
        f"{_level(table, level)} after {_stages(found[level]) if place else ', '.join(found[level])}"
        for place, level in enumerate(sorted(found))
    ]
    return f": {', '.join(parts)}"


def _level(table: StageTable, level: float) -> str:
    """'95 %'; '99 % (corrected)' where a family shares its level."""
    return f"{percent_of_level(level)}{' (corrected)' if level > 1 - table.alpha + 1e-9 else ''}"


def _stages(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 3 else "the others"


class _Links:
    """A checkpoint's flips against the baseline, or its own completions where there are none."""

    def __init__(self, table: StageTable) -> None:
        self.table = table
        self.cells = {(cell.stage, cell.condition, cell.seed): cell for cell in table.cells()}

    def __call__(self, stage: str, condition: str, seed: int) -> str:
        table, cell = self.table, self.cells.get((stage, condition, seed))
        if condition != table.baseline and table.counts_pairs and self._compared(stage, condition, seed):
            return flips.address(table, stage, condition, seed)
        return reverse("evaluation", args=[cell.tally.evaluation]) if cell is not None and cell.tally else ""

    def _compared(self, stage: str, condition: str, seed: int) -> bool:
        """Whether there is a pair whose flips can be opened."""
        row = next(row for row in self.table.rows if row.stage == stage)
        found = next(one for one in row.seeds if one.seed == seed).comparisons[
            self.table.others.index(condition)
        ]
        return found is not None and not isinstance(found, Refusal | SameRun)
