"""Where a file's numbers come from: experiment, code, seeds, what was learnt from, and the day."""

from collections.abc import Mapping
from datetime import UTC, datetime

from webapp.experiments.models import Experiment
from webapp.runs import contamination, environments, kept_examples
from webapp.runs.code_versions import of_experiment
from webapp.runs.models import StageRun


def origin(
    experiment: Experiment, more: Mapping[str, str] | None = None, at: datetime | None = None
) -> dict[str, str]:
    """Label → text; `more` stands before the day, and `at` is that day (None: now)."""
    day = {"As of": f"{at or datetime.now(UTC):%Y-%m-%d %H:%M} UTC"}
    if experiment.imported:
        return {
            "Experiment": f"{experiment.name}, imported, counts only",
            "Published": f"{experiment.recipe['date']}: {experiment.recipe['source']}",
            **(more or {}),
            **day,
        }
    return {
        "Experiment": f"{experiment.name}, started {experiment.created_at:%Y-%m-%d}",
        "Recipe": experiment.recipe_name,
        "Code version": of_experiment(experiment).text,
        **_told("Computed on", environments.of_experiment(experiment)),
        "Seeds": ", ".join(str(seed) for seed in experiment.seeds),
        **_learnt_from(experiment),
        **_kept_examples(experiment),
        **_told("Contamination", contamination.summary(contamination.of_experiment(experiment))),
        **(more or {}),
        **day,
    }


def _told(label: str, text: str) -> dict[str, str]:
    return {label: text} if text else {}


def _learnt_from(experiment: Experiment) -> dict[str, str]:
    """Of each last stage, the hash of its settings, its data and everything before it: equal ones compute the same."""
    last = StageRun.objects.filter(experiment=experiment, children__isnull=True).exclude(identity="")
    found = {
        f"{stage} of {condition}{f', seed {seed}' if len(experiment.seeds) > 1 else ''}": identity[:12]
        for stage, condition, seed, identity in last.values_list(
            "stage__name", "condition__name", "seed", "identity"
        )
    }
    if not found:
        return {}
    return {"Data and settings (SHA-256)": "; ".join(f"{what} {digest}" for what, digest in found.items())}


def _kept_examples(experiment: Experiment) -> dict[str, str]:
    """Of each stage that recorded it, the hash of the examples that it kept: equal ones learnt from the same."""
    recorded = kept_examples.of_experiment(experiment)
    runs = StageRun.objects.filter(pk__in=recorded).order_by("stage__position", "seed", "condition__position")
    names: dict[tuple[str, int], dict[str, str]] = {}
    for pk, stage, seed, condition in runs.values_list("pk", "stage__name", "seed", "condition__name"):
        if name := kept_examples.name_of(recorded[pk]):
            names.setdefault((stage, seed), {})[condition] = name[:12]
    found = [
        f"{stage}{f', seed {seed}' if len(experiment.seeds) > 1 else ''}{f' of {condition}' if condition else ''} {name}"
        for (stage, seed), each in names.items()
        for condition, name in (
            each if len(set(each.values())) > 1 else {"": next(iter(each.values()))}
        ).items()
    ]
    return {"Examples kept (SHA-256)": "; ".join(found)} if found else {}
