"""How an experiment's pages hold up: pairwise over width, scheme, conditions, seeds, and running or finished.

Each pair of two values of different factors is in one of LOOKS. What has to hold: nothing is wider than the window, no text
stands a letter a line, nothing is cut off, and on a desktop the verdict is in sight without scrolling to the side.
"""

import os
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests import factories
from webapp.experiments.models import Experiment
from webapp.runs.models import StageRun, State

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = os.environ.get("MULBERRY_PICTURES")
NAMES = ("baseline", "mul_tokens", "beta_high", "long_warm_up_and_decay", "curriculum_first", "half_the_rate")
REUSED = ("pretrain", "instruct")  # stages that the later conditions take over from the baseline
PROBLEMS = 60


class Look(NamedTuple):
    """One way to look at an experiment."""

    width: int
    scheme: str
    conditions: int
    seeds: int
    finished: bool

    @property
    def experiment(self) -> str:
        """The name of what is looked at."""
        return f"layout-{self.conditions}{self.seeds}{int(self.finished)}"


LOOKS = (
    Look(1440, "light", 2, 1, finished=True),
    Look(1440, "dark", 3, 3, finished=False),
    Look(1440, "light", 6, 3, finished=True),
    Look(1280, "dark", 2, 3, finished=True),
    Look(1280, "light", 3, 1, finished=True),
    Look(1280, "dark", 6, 1, finished=False),
    Look(390, "light", 2, 3, finished=False),
    Look(390, "dark", 3, 1, finished=True),
    Look(390, "dark", 6, 3, finished=True),
)
# Elements that hold text of their own; what is hidden from the eye alone is as small as it is meant to be.
FAULTS = """() => {
  const found = [], seen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const named = (one) => `${one.tagName.toLowerCase()}.${one.className} ${JSON.stringify(one.textContent.trim().slice(0, 40))}`;
  const extra = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (extra > 0) found.push(`the page is ${extra} px too wide`);
  for (const one of document.querySelectorAll("main *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim().length > 3);
    if (!own || !seen(one) || one.closest("svg, .visually-hidden, .plot, option")) continue;
    if (one.closest("thead") && getComputedStyle(one.closest("thead")).clipPath !== "none") continue; // cells name themselves
    const { width, height } = one.getBoundingClientRect(), style = getComputedStyle(one), size = parseFloat(style.fontSize);
    if (width <= 1) continue;
    if (width < 3 * size && height > 6 * size) found.push(`a letter a line: ${named(one)}`);
    const hides = ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis";
    if (hides && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${named(one)}`);
  }
  return [...new Set(found)].slice(0, 8);
}"""
HIDDEN_VERDICTS = """() => [...document.querySelectorAll("#stage-table .verdict, .verdict-sentence")]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth)
  .map((one) => one.textContent.trim())"""


def test_every_pair_of_two_factors_is_looked_at() -> None:
    for first, second in combinations(range(len(Look._fields)), 2):
        pairs = {(look[first], look[second]) for look in LOOKS}
        assert pairs == set(product({look[first] for look in LOOKS}, {look[second] for look in LOOKS}))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_experiments_pages_hold_up_at_every_size(page: Page, address: str) -> None:
    for look in {look.experiment: look for look in LOOKS}.values():
        _make(look)
    faults = [fault for look in LOOKS for fault in _faults(page, address, look)]
    assert not faults, "\n".join(faults)


def _faults(page: Page, address: str, look: Look) -> Iterator[str]:
    """What is wrong with the pages of one look."""
    page.emulate_media(color_scheme=look.scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": look.width, "height": 900})
    for name in ("experiment", "comparison", "report"):
        page.goto(address + reverse(name, args=[look.experiment]))
        if name != "report":
            expect(page.locator("#answer .chart")).to_have_count(2)
            expect(page.locator(".htmx-request")).to_have_count(0)
            for chart in page.locator("#answer .chart").all():  # drawn when they come into view
                chart.scroll_into_view_if_needed()
                expect(chart.locator(".js-plotly-plot")).to_be_visible()
        where = f"{name}, {look}"
        yield from (f"{where}: {fault}" for fault in page.evaluate(FAULTS))
        if look.width > 1000:
            yield from (f"{where}: verdict out of sight: {text}" for text in page.evaluate(HIDDEN_VERDICTS))
        if PICTURES:
            path = f"{PICTURES}/layout-{name}-{look.width}-{look.scheme}-{look.experiment}.png"
            page.screenshot(path=path, full_page=True)


def _make(look: Look) -> None:
    """An experiment of six stages: first ones reused in the later conditions; unfinished from the fifth stage on."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
    made = factories.make_experiment(
        look.experiment, conditions=NAMES[: look.conditions], seeds=range(look.seeds)
    )
    runs = made.runs.select_related("condition", "stage").order_by("stage__position", "condition__position")
    for run in runs:
        if not look.finished and run.stage.position > 3:
            continue
        _finish(made, run)
    if not look.finished:
        for run in runs.filter(stage__position=4):
            factories.make_attempt(run, state=State.RUNNING)


def _finish(made: Experiment, run: StageRun) -> None:
    if run.condition.position and run.stage.name in REUSED:
        run.reused_from = factories.run_of(made, NAMES[0], run.stage.name, run.seed)
        run.save()
    more = 3 * run.condition.position * (run.stage.position > 1)
    right = 8 + 6 * run.stage.position + more - run.seed * (1 + run.condition.position % 3)
    factories.add_evaluation(
        factories.make_attempt(run, state=State.SUCCEEDED),
        [(7 * i + run.seed) % PROBLEMS < right for i in range(PROBLEMS)],
    )
