"""What to try, as links: the recipe of a hypothesis filled in, and this experiment with the setting that is advised."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse

from webapp.diagnosis.finding import Advice, Finding
from webapp.diagnosis.grouping import FindingGroup
from webapp.experiments.models import Experiment
from webapp.launch.edits import flow


class Here(NamedTuple):
    """This experiment, forked or cloned, with what is advised."""

    url: str
    changes: str  # as the form has them


@dataclass(frozen=True)
class Try:
    """An advice with the places where it can be launched."""

    advice: Advice
    url: str  # the hypothesis's recipe with this experiment's seeds and level; empty: it is about this experiment
    here: list[Here]  # one for each stage that it was found in; empty: nothing that can be set


def to_try(group: FindingGroup, experiment: Experiment) -> list[Try]:
    """Every advice of a group, each once; what was imported has no settings to go on from."""
    return [
        Try(advice, _recipe(advice, experiment), _here(group, advice, experiment)) for advice in group.advice
    ]


def _recipe(advice: Advice, experiment: Experiment) -> str:
    """The recipe with the experiment's level, and its seeds where they are known; empty where it is about this experiment."""
    if advice.hypothesis is None:
        return ""
    changes: list[tuple[str, Any]] = [("alpha", experiment.alpha)]
    if not experiment.imported:
        changes.insert(0, ("seeds", experiment.seeds))
    return reverse("new_from_recipe", args=[advice.hypothesis.recipe]) + _query(changes)


def _here(group: FindingGroup, advice: Advice, experiment: Experiment) -> list[Here]:
    if experiment.imported or not advice.changes:
        return []
    found = {}
    for finding in group.findings:
        if advice in finding.advice:
            changes = _absolute(finding, advice, experiment)
            written = as_written(changes)
            found[written] = Here(_form(finding, experiment, changes), written)
    return list(found.values())


def as_written(changes: Iterable[tuple[str, Any]]) -> str:
    """Settings as a form has them: 'stages.grpo.beta = 0.1, seeds = [0, 1]'."""
    return ", ".join(f"{path} = {flow(value)}" for path, value in changes)


def _form(finding: Finding, experiment: Experiment, changes: list[tuple[str, Any]]) -> str:
    if finding.run is None:
        return reverse("clone_experiment", args=[experiment.name]) + _query(changes)
    place = f"#field-stages.{finding.stage}"
    return reverse("fork_experiment", args=[experiment.name, finding.stage]) + _query(changes) + place


def _absolute(finding: Finding, advice: Advice, experiment: Experiment) -> list[tuple[str, Any]]:
    """The advice's paths from the recipe's root; what the condition sets for itself is changed where it sets it."""
    within = f"stages.{finding.stage}." if finding.run is not None else ""
    conditions = {one["name"]: one for one in experiment.recipe.get("conditions", ())}
    own = conditions.get(finding.condition, {}).get("overrides", {})
    changes = []
    for path, value in advice.changes:
        shared = f"{within}{path}"
        place = f"conditions.{finding.condition}.overrides.{shared}" if shared in own else shared
        changes.append((place, value))
    return changes


def _query(changes: Iterable[tuple[str, Any]]) -> str:
    return "?" + urlencode([("set", f"{path}={flow(value)}") for path, value in changes])
