"""Whether the intervention acted at all, and what else it changed: learnt tokens, of an experiment's table."""

from collections.abc import Iterator
from typing import Any

from training.recipes.dose_estimate import NEAR_NONE
from webapp.comparison.alike.dose import ALL, Dose, doses
from webapp.comparison.table import StageTable
from webapp.diagnosis.finding import Finding, Link, Severity
from webapp.experiments.models import Condition
from webapp.files.number_text import percent
from webapp.runs.models import OVER

UNEQUAL = 0.02  # of the baseline's learnt tokens; Phase 6's GSM8K with decompositions has 3.0 % fewer, GSM8K alone 0.9 %


def dose_near_none(table: StageTable) -> Iterator[Finding]:
    """A condition with mul-tokens learnt hardly any in a stage; a warning where that is so in every stage, and none is to come."""
    if table.imported:
        return
    found = _of_stages(table)
    for condition in table.experiment.conditions.all():
        own = [one for one in found if one.condition == condition.name]
        few = [one for one in own if one.per_thousand < NEAR_NONE]
        if not _injects(condition, table.experiment.recipe):
            continue
        none_anywhere = len(few) == len(own) and not _to_come(condition, {one.stage for one in own})
        for one in few:
            yield Finding(
                kind="dose_near_none",
                severity=Severity.WARNING if none_anywhere else Severity.INFO,
                headline=f"{one.condition} learnt hardly any mul-tokens",
                evidence=(
                    f"{one.mul_tokens:,.0f} mul-tokens in {one.tokens:,.0f} learnt tokens, {one.per_thousand:.2f} per "
                    f"1,000; the texts hold {one.products:,.0f} products of single digits, of which {one.left:,.0f} "
                    "stayed text."
                ),
                reading=(
                    "Consistent with data that have few such products"
                    + (
                        ", or write them in a way that is not replaced."
                        if one.left > one.products / 2
                        else "."
                    )
                    + " Conditions are nearly alike in this stage, so a difference after it comes from elsewhere."
                ),
                not_shown="Not shown: that mul-tokens would not help where there are more of them.",
                links=(Link("dose", "experiment", table.experiment.name, "#dose-title"),),
                stage=one.stage,
                condition=one.condition,
            )


def learnt_tokens_differ(table: StageTable) -> Iterator[Finding]:
    """A condition learnt over 2 % more or fewer tokens than the baseline in a stage."""
    if table.imported:
        return
    for one in _of_stages(table):
        share = one.against_baseline
        if share is None or abs(share) <= UNEQUAL:
            continue
        more = "more" if share > 0 else "fewer"
        yield Finding(
            kind="learnt_tokens_differ",
            severity=Severity.INFO,
            headline=f"{one.condition} learnt {more} tokens than {table.baseline}",
            evidence=(
                f"{one.tokens:,.0f} against {one.baseline_tokens:,.0f} learnt tokens in {one.stage}, "
                f"{percent(abs(share))} {more}; means over the seeds."
            ),
            reading=(
                "Consistent with the same examples written shorter or longer: equal examples are not equal supervised "
                "tokens. Where the conditions learn different data, it comes from these."
            ),
            not_shown="Not shown: that a difference in results comes from the number of tokens.",
            links=(Link("dose", "experiment", table.experiment.name, "#dose-title"),),
            stage=one.stage,
            condition=one.condition,
        )


def _of_stages(table: StageTable) -> list[Dose]:
    stages = [stage.name for stage in table.experiment.stages.all()]
    found = doses(table.examples.recorded, table.examples.runs, stages=stages, conditions=table.conditions)
    return [one for one in found if one.source == ALL]


def _to_come(condition: Condition, told: set[str]) -> bool:
    """Whether a stage that learns from texts has a run which is not over, and nothing that it learnt is recorded."""
    runs = condition.runs.exclude(state__in=OVER).exclude(stage__name__in=told).select_related("stage")
    return any(run.stage.settings_class.learns in ("text", "completions") for run in runs)


def _injects(condition: Condition, recipe: dict[str, Any]) -> bool:
    """Whether a condition has mul-tokens, as it was launched."""
    own = condition.overrides.get("mul_tokens.inject", condition.overrides.get("mul_tokens", {}))
    if isinstance(own, dict):
        own = own.get("inject", recipe.get("mul_tokens", {}).get("inject", False))
    return bool(own)
