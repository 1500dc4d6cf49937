"""The report, the download menus and grouped findings in a real browser: on the screen and printed."""

import csv
import io
import json
import re
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect

from tests import factories, histories
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.files.formats import FORMATS
from webapp.pages.templatetags.downloads import FORMATS as MENUS
from webapp.runs.models import StageRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def history() -> Experiment:
    """A finished experiment with two seeds, in whose GRPO runs of one condition many rollouts are cut."""
    experiment = histories.make_history("demo-1", done=6, seeds=(0, 1))
    for run in StageRun.objects.filter(stage__kind="grpo", condition__name="mul_tokens"):
        attempt = run.attempts.get()
        attempt.metrics.filter(name="hit_limit").delete()
        factories.add_metrics(attempt, {"hit_limit": [0.02] * 50 + [0.6 + run.seed / 10] * 100})
    return experiment


def test_the_report_has_its_sections_and_drawings(page: Page, address: str) -> None:
    history()
    page.goto(f"{address}/experiments/demo-1/report/")
    headings = page.locator("section h2").all_inner_texts()
    order = ["Results", "Prediction and outcome", "Setup", "What the last stage changed", "Detailed metrics", "Training dynamics", "Findings",
             "Diagnosis", "What is supported, and what is not", "Next steps for this question", "Next steps, in order"]  # fmt: skip
    assert headings == order
    expect(page.locator(".drawing")).to_have_count(4)
    expect(page.locator(".drawing polyline")).to_have_count(7)


def test_the_report_prints_without_the_frame(page: Page, address: str, tmp_path: Path) -> None:
    history()
    page.goto(f"{address}/experiments/demo-1/report/")
    page.emulate_media(media="print")
    expect(page.locator(".bar")).to_be_hidden()
    expect(page.locator(".downloads").first).to_be_hidden()
    expect(page.locator(".provenance")).to_be_visible()
    for table in page.locator(".scroll").all():
        assert table.evaluate("one => getComputedStyle(one).overflowX") == "visible"
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('table')].map((one) => one.scrollWidth))"
    )
    assert widest <= 718
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "1cm"))  # type: ignore[arg-type]
    assert printed.startswith(b"%PDF") and len(printed) > 20_000


def test_folded_settings_are_printed(page: Page, address: str) -> None:
    experiment = history()
    experiment.recipe = recipes.build(recipes.shipped("demo")).model_dump(mode="json")
    experiment.save()
    page.goto(f"{address}/experiments/demo-1/report/")
    settings = page.locator("section > details table")
    assert not settings.evaluate("one => one.checkVisibility()")
    page.emulate_media(media="print")
    assert settings.evaluate("one => one.checkVisibility()")


def parsed(path: Path, format: str) -> int:
    """How many rows, or tables to read, an independent reader finds."""
    if format == "csv":
        return len(list(csv.DictReader(io.StringIO(path.read_text(), newline=""))))
    if format == "json":
        return len(json.loads(path.read_text())["rows"])
    if format == "jsonl":
        return len([json.loads(line) for line in path.read_text().splitlines()])
    if format == "xlsx":
        return openpyxl.load_workbook(path).worksheets[0].max_row - 1
    if format == "parquet":
        return int(pq.read_table(path).num_rows)
    return len(re.findall(r"^\| :-|\\toprule", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("place", "what", "formats", "rows"),
    [
        ("/experiments/demo-1/comparison/", "the stage table", "table", 36),
        ("/experiments/demo-1/comparison/", "the detail metrics", "table", 24),
        ("/experiments/demo-1/", "the findings", "table", None),
        ("/runs/{run}/", "the dynamics table", "table", 14),  # four are components of the reward
        ("/runs/{run}/", "every point of the metrics", "rows", None),
        ("/experiments/", "the list", "table", 2),
    ],
)
def test_each_menu_gives_each_format(
    page: Page, address: str, tmp_path: Path, place: str, what: str, formats: str, rows: int | None
) -> None:
    history()
    run = StageRun.objects.get(stage__kind="grpo", condition__name="mul_tokens", seed=0)
    page.goto(address + place.format(run=run.pk))
    menu = page.locator("details.downloads", has=page.locator("summary", has_text=what))
    found = set()
    for format, title in MENUS[formats].items():
        menu.locator("summary").click()
        with page.expect_download() as downloading:
            menu.get_by_role("link", name=title, exact=True).click()
        path = tmp_path / downloading.value.suggested_filename
        downloading.value.save_as(path)
        assert path.suffix == f".{format}"
        count = parsed(path, format)
        assert count > 0
        found |= {count} if format not in ("md", "tex") else set()
        expect(menu).not_to_have_attribute("open", "")
    assert len(found) == 1, "every format has as many rows"
    assert rows is None or found == {rows}
    assert set(MENUS["table"]) == set(FORMATS)


def test_a_menu_is_worked_by_keyboard(page: Page, address: str) -> None:
    history()
    page.goto(f"{address}/experiments/demo-1/comparison/")
    menu = page.locator("details.downloads").first
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="LaTeX")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="LaTeX")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_the_same_finding_stands_once_and_leads_to_each_run(page: Page, address: str) -> None:
    history()
    page.goto(f"{address}/experiments/demo-1/")
    finding = page.locator('.finding[data-kind="hit_limit"]')
    expect(finding).to_have_count(1)
    expect(finding.locator(".what")).to_contain_text("Many rollouts are cut at the token limit")
    expect(finding.locator(".what")).to_contain_text("grpo, mul_tokens, seeds 0, 1, from step")
    severities = page.locator(".finding").evaluate_all("all => all.map((one) => one.dataset.severity)")
    assert severities == sorted(severities, key=["critical", "warning", "info"].index)
    finding.locator("summary strong").click()
    finding.get_by_role("link", name="grpo, mul_tokens, seed 1", exact=True).first.click()
    run = StageRun.objects.get(stage__kind="grpo", condition__name="mul_tokens", seed=1)
    page.wait_for_url(f"**/runs/{run.pk}/")
