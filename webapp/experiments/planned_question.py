"""The question that an experiment was launched with, and the test that decides it."""

from datetime import datetime
from typing import Any

from training.recipes.planned_question import PairedTest, PlannedQuestion
from webapp.experiments.models import Experiment


def planned_question(experiment: Experiment) -> PlannedQuestion:
    """What was fixed at launch; an experiment from before there was more to fix has its benchmark alone."""
    stored = experiment.recipe.get("primary") or {"benchmark": experiment.primary_metric}
    return PlannedQuestion.model_validate(stored)


def paired_test(experiment: Experiment) -> PairedTest:
    """The test of right and wrong that was fixed at launch; before it could be chosen it was the exact one."""
    test: PairedTest = experiment.recipe.get("test", "exact")
    return test


def asked_at(experiment: Experiment) -> datetime:
    """When the question was asked: at the launch, or at that of the experiment that this one repeats or goes on with.

    An outcome that is older was there to be seen when the question was chosen.
    """
    at, plan = experiment.created_at, _plan(experiment)
    while (experiment := experiment.origin) is not None and _plan(experiment) == plan:  # type: ignore[assignment]
        at = experiment.created_at
    return at


WORDS_ONLY = (
    "title",
    "question",
    "prediction",
    "expected_accuracy",
    "queue",
)  # what may differ, and the plan be the same


def _plan(experiment: Experiment) -> dict[str, Any]:
    """What decides what is measured and how it is tested; seeds that came later are no part of it."""
    plan = {key: value for key, value in experiment.recipe.items() if key not in WORDS_ONLY}
    question = planned_question(experiment)
    decide = experiment.seeds[: question.decide(len(experiment.seeds))]
    return {**plan, "primary": question.model_dump(exclude={"seeds"}), "seeds": decide}
