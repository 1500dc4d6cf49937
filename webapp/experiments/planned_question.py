"""The question that an experiment was launched with, and the test that decides it."""

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
