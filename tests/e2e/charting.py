"""What browser tests of charts share: the run, where its charts are, and the menu of each."""

import re

from playwright.sync_api import Locator, Page

from tests import factories, histories
from webapp.runs.models import StageRun

SETTINGS = {"batch_size": 16, "gradient_accumulation": 1, "iterations": 1}


def make_run() -> StageRun:
    """A GRPO run of two conditions and two seeds, resumed at step 40."""
    experiment = factories.make_experiment(stages=(("grpo", "grpo"),), seeds=(0, 1))
    for one in StageRun.objects.select_related("condition"):
        StageRun.objects.filter(pk=one.pk).update(spec=one.spec | {"settings": SETTINGS})
        one.refresh_from_db()
        attempt = factories.make_attempt(one)
        histories.train(attempt, "grpo", steps=60, seed=one.seed + 2 * one.condition.position)
        factories.add_metrics(attempt, {"tokens": [100.0 * step for step in range(1, 61)]})
    found = factories.run_of(experiment, "mul_tokens", "grpo", 1)
    second = factories.make_attempt(found, first_step=40)
    factories.add_metrics(second, {"reward": [0.7] * 20, "accuracy": [0.6] * 20}, first_step=41)
    return found


def chart(page: Page, key: str) -> Locator:
    return page.locator(f'.chart[data-chart="{key}"]')


def open_menu(figure: Locator) -> None:
    """The menu of a chart, where its table, files and place are."""
    figure.get_by_label(re.compile(": more$")).click()


def show_points(figure: Locator) -> None:
    """The points of a chart as a table."""
    open_menu(figure)
    figure.get_by_role("button", name="Points as a table").click()


def lines(page: Page, key: str) -> Locator:
    return chart(page, key).locator(".scatterlayer path.js-line")
