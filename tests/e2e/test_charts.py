"""The charts of a run's page in a real browser: every choice is in the address, the pointer is on all charts, files open."""

import csv
import re
import struct
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests import factories
from tests.e2e import charting
from tests.e2e.charting import chart, lines, open_menu, show_points
from webapp.runs import lifecycle
from webapp.runs.models import StageRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def run(transactional_db: None) -> StageRun:
    return charting.make_run()


@pytest.fixture
def address(run: StageRun, address: str) -> str:
    """The run's page."""
    return f"{address}/runs/{run.pk}/"


def layout(page: Page, key: str, path: str) -> object:
    """Something of the layout that Plotly draws by."""
    return page.evaluate(
        "([key, path]) => path.split('.').reduce((at, name) => at[name], document.querySelector(`[data-chart='${key}'] .plot`)._fullLayout)",
        [key, path],
    )


def chosen(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_every_choice_is_in_the_address_and_comes_back(page: Page, address: str) -> None:
    page.goto(address)
    expect(lines(page, "reward")).to_have_count(
        11
    )  # 3 single runs, 2 × (band of 2, mean), this run, smoothed and as recorded
    expect(page.get_by_label("Smoothing")).to_have_value("0.6")
    expect(page.get_by_role("button", name="Reset")).to_be_hidden()
    page.locator('select[name="runs"]').select_option("own")
    expect(lines(page, "reward")).to_have_count(2)
    page.get_by_label("Across").select_option("rollouts")
    expect(chart(page, "reward").locator(".xtitle")).to_have_text("rollouts")
    page.get_by_label("Smoothing").fill("0")
    expect(lines(page, "reward")).to_have_count(1)  # as recorded
    page.get_by_label("Log x").check()
    page.get_by_label("Log y").check()
    page.get_by_label("Clip outliers").check()
    wanted = {"runs": "own", "x": "rollouts", "smooth": "0", "logx": "1", "logy": "1", "clip": "1"}
    assert chosen(page) == wanted
    page.reload()
    expect(chart(page, "reward").locator(".xtitle")).to_have_text("rollouts")
    expect(lines(page, "reward")).to_have_count(1)
    expect(page.get_by_label("Smoothing")).to_have_value("0")
    assert layout(page, "reward", "xaxis.type") == layout(page, "reward", "yaxis.type") == "log"
    for label in ("Log x", "Log y", "Clip outliers"):
        expect(page.get_by_label(label)).to_be_checked()
    page.get_by_role("button", name="Reset").click()
    expect(lines(page, "reward")).to_have_count(11)
    assert chosen(page) == {}
    for x, title in (("tokens", "tokens"), ("time", "seconds since the run began")):
        page.get_by_label("Across").select_option(x)
        expect(chart(page, "reward").locator(".xtitle")).to_have_text(title)


def test_an_address_that_means_nothing_is_told(page: Page, address: str) -> None:
    page.goto(f"{address}?x=moon")
    expect(page.get_by_role("alert")).to_contain_text("choose step, rollouts, tokens, time")
    expect(lines(page, "reward").first).to_be_attached()


def test_resumes_are_marked(page: Page, address: str) -> None:
    page.goto(address)
    mark = chart(page, "reward").locator(".infolayer .annotation", has_text="↻2")
    expect(mark).to_have_count(1)
    expect(chart(page, "reward").locator(".shapelayer path")).to_have_count(1)
    mark.hover()
    expect(chart(page, "reward").locator(".hoverlayer")).to_contain_text("attempt 2 resumed at step 40")


def test_the_pointer_is_on_all_charts(page: Page, address: str) -> None:
    page.goto(address)
    expect(lines(page, "accuracy").first).to_be_attached()
    expect(lines(page, "reward").first).to_be_attached()
    chart(page, "reward").locator(".nsewdrag").hover()
    for key in ("reward", "accuracy"):
        expect(chart(page, key).locator(".cursor")).to_be_visible()
        expect(chart(page, key).locator("[data-at]")).to_contain_text("this run (seed 1)")
    told = [
        chart(page, key).locator("[data-at]").inner_text().split(":")[0] for key in ("reward", "accuracy")
    ]
    assert told[0] == told[1]
    page.mouse.move(0, 0)
    expect(chart(page, "accuracy").locator(".cursor")).to_be_hidden()
    chart(page, "reward").locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    expect(chart(page, "accuracy").locator("[data-at]")).to_contain_text("step 60: ")
    page.keyboard.press("ArrowLeft")
    expect(chart(page, "accuracy").locator("[data-at]")).to_contain_text("step 59: ")
    page.keyboard.press("Escape")
    expect(chart(page, "reward").locator(".cursor")).to_be_hidden()


def test_full_screen_is_in_the_address_and_gives_the_focus_back(page: Page, address: str) -> None:
    page.goto(address)
    button = page.get_by_role("button", name="Reward: full screen")
    button.click()
    dialog = page.get_by_role("dialog", name="Reward")
    expect(dialog.locator("path.js-line").first).to_be_attached()
    assert chosen(page) == {"chart": "reward"}
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    assert chosen(page) == {}
    page.goto(f"{address}?chart=kl&runs=own&smooth=0")
    expect(page.get_by_role("dialog", name="KL divergence").locator("path.js-line")).to_have_count(1)


def test_a_chart_is_saved_as_png_svg_and_csv(page: Page, address: str, run: StageRun, tmp_path: Path) -> None:
    page.goto(f"{address}?smooth=0.5&runs=own")
    expect(lines(page, "reward").first).to_be_attached()
    saved = {}
    for role, name, format in (
        ("button", "PNG", "png"),
        ("button", "SVG", "svg"),
        ("link", "CSV, every point", "csv"),
    ):
        open_menu(chart(page, "reward"))
        with page.expect_download() as waiting:
            chart(page, "reward").get_by_role(role, name=name).click()  # type: ignore[arg-type]
        assert waiting.value.suggested_filename == f"demo-1-run-{run.pk}-reward.{format}"
        saved[format] = tmp_path / format
        waiting.value.save_as(saved[format])
    png = saved["png"].read_bytes()
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    assert width >= 1280
    assert height >= 720
    svg = ElementTree.parse(saved["svg"]).getroot()
    assert svg.tag.endswith("svg")
    assert "Reward (mean per rollout)" in "".join(svg.itertext())
    rows = list(csv.DictReader(saved["csv"].read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(1, 61))
    assert {row["value"] for row in rows[40:]} == {"0.7"}
    assert rows[0]["smoothed"] == rows[0]["value"]
    assert rows[30]["smoothed"] != rows[30]["value"]


def test_the_points_are_a_table_too_and_the_chart_stays(page: Page, address: str) -> None:
    page.goto(address)
    expect(lines(page, "reward").first).to_be_attached()
    drawn = lines(page, "reward").count()
    show_points(chart(page, "reward"))
    rows = chart(page, "reward").get_by_role("group", name="Reward: points").locator("tbody tr")
    expect(rows).not_to_have_count(0)
    assert rows.count() >= 60
    assert lines(page, "reward").count() == drawn
    show_points(chart(page, "reward"))
    expect(rows).to_have_count(0)


def test_a_chart_s_menu_is_reached_by_keys_and_its_number_says_what_it_is(page: Page, address: str) -> None:
    page.goto(address)
    figure = chart(page, "reward")
    expect(figure.locator(".latest")).to_have_text("last 0.701")  # where the smoothed line ends
    expect(figure.locator(".latest")).to_have_attribute(
        "title", re.compile("as it is drawn: mul_tokens, seed 1$")
    )
    more = figure.get_by_label("Reward: more")
    more.focus()
    page.keyboard.press("Enter")
    expect(figure.get_by_role("button", name="PNG")).to_be_visible()
    page.keyboard.press("Escape")
    expect(figure.get_by_role("button", name="PNG")).to_be_hidden()
    expect(more).to_be_focused()


def test_all_metrics_are_grouped_searched_and_drawn_when_opened(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_text("All metrics, by prefix").click()
    one = chart(page, "metric:reward/correct")
    expect(one).to_be_hidden()
    assert one.locator("path.js-line").count() == 0
    page.get_by_label("Find a metric").fill("CORR")
    expect(page.locator("[data-found]")).to_have_text("1 metric")
    expect(one.locator("path.js-line").first).to_be_attached()
    assert chosen(page) == {"find": "CORR"}
    page.reload()
    expect(page.get_by_label("Find a metric")).to_have_value("CORR")
    expect(page.locator('[data-group="general"]')).to_be_hidden()


def test_what_a_person_zoomed_to_stays_when_points_come(page: Page, address: str, run: StageRun) -> None:
    page.goto(f"{address}?runs=own&smooth=0")
    expect(page.locator(".live")).to_have_text("live")
    expect(lines(page, "reward")).to_have_count(1)
    page.evaluate(
        "Plotly.relayout(document.querySelector('[data-chart=\"reward\"] .plot'), {'xaxis.range[0]': 10, 'xaxis.range[1]': 20})"
    )
    with transaction.atomic():
        attempt = run.attempts.order_by("number").last()
        assert attempt is not None
        factories.add_metrics(attempt, {"reward": [0.9], "accuracy": [0.9]}, first_step=61)
        lifecycle.notify(
            experiment=run.experiment_id, run=run.pk, attempt=attempt.pk, seq=attempt.journal_seq
        )
    expect(chart(page, "reward").locator("[data-latest]")).to_have_text("0.900")
    assert layout(page, "reward", "xaxis.range") == [10, 20]
    page.get_by_label("Across").select_option("tokens")
    expect(chart(page, "reward").locator(".xtitle")).to_have_text("tokens")
    assert layout(page, "reward", "xaxis.range") != [10, 20], "another axis is shown whole"


def test_a_link_to_a_folded_chart_opens_it(page: Page, address: str) -> None:
    page.goto(f"{address}#chart-logprob_mismatch")
    expect(page.locator("#chart-logprob_mismatch .plot")).to_be_in_viewport()
    expect(lines(page, "logprob_mismatch").first).to_be_attached()


def test_charts_are_printed_without_their_controls(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    assert page.locator("[data-rest] .js-plotly-plot").count() == 0, "what nobody has seen is not drawn"
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    expect(page.locator("[data-rest] .chart").last.locator("path.js-line").first).to_be_attached()
    page.emulate_media(media="print")
    expect(page.get_by_role("form", name="How the charts are drawn")).to_be_hidden()
    expect(chart(page, "reward").locator("svg.main-svg").first).to_be_visible()
