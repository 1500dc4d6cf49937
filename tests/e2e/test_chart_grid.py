"""The charts of a run's page together, in a real browser: one legend, a person's order, and from a point to its rollouts."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e import charting
from tests.e2e.charting import chart, lines, open_menu, show_points
from webapp.runs.models import StageRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PLACE = """step => {
  const plot = document.querySelector("[data-chart='reward'] .plot");
  const { xaxis, yaxis } = plot._fullLayout;
  const own = plot.data.find((trace) => trace.meta.own);
  const box = plot.getBoundingClientRect();
  const y = own.y[own.x.indexOf(step)];
  return [box.left + xaxis._offset + xaxis.d2p(step), box.top + yaxis._offset + yaxis.d2p(y)];
}"""


@pytest.fixture
def run(transactional_db: None) -> StageRun:
    return charting.make_run()


@pytest.fixture
def address(run: StageRun, address: str) -> str:
    """The run's page."""
    return f"{address}/runs/{run.pk}/"


def test_one_legend_shows_and_hides_in_all_charts(page: Page, address: str) -> None:
    page.goto(address)
    for key in ("reward", "accuracy"):
        expect(lines(page, key)).to_have_count(11)
        expect(chart(page, key).locator(".legend")).to_have_count(0)
    page.locator(".key", has_text="baseline").click()
    for key in ("reward", "accuracy"):
        expect(lines(page, key)).to_have_count(6)  # a single run, band of 2, mean, this run twice
    page.get_by_role("switch", name="seed 0").focus()
    page.keyboard.press("Space")
    for key in ("reward", "accuracy"):
        expect(lines(page, key)).to_have_count(2)
    assert parse_qs(urlsplit(page.url).query) == {"hide": ["baseline"], "hide_seeds": ["0"]}
    page.reload()
    expect(lines(page, "reward")).to_have_count(2)
    expect(page.get_by_role("switch", name="baseline")).not_to_be_checked()
    page.get_by_role("button", name="Reset").click()
    expect(lines(page, "reward")).to_have_count(11)


def test_a_person_s_order_is_kept(page: Page, address: str) -> None:
    def stands() -> list[str]:
        found: list[str] = page.locator(".chart[data-chart]").evaluate_all(
            "all => all.map((one) => one.dataset.chart).filter((key) => !key.includes(':'))"
        )
        return found

    page.goto(address)
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    before = stands()
    open_menu(chart(page, "entropy"))
    pin = page.get_by_role("button", name="Pin Entropy")
    pin.click()
    expect(page.get_by_role("status").filter(has_text="Entropy is chart 1 of")).to_be_attached()
    expect(pin).to_be_focused()
    open_menu(chart(page, "reward"))
    page.get_by_role("button", name="Reward: earlier").click()
    wanted = ["entropy", "reward", "accuracy", *before[2:]]
    wanted.pop(wanted.index("entropy", 1))
    assert stands() == wanted
    expect(page.locator("[data-main] .chart")).to_have_count(3)
    page.reload()
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    expect(chart(page, "entropy")).to_have_attribute("data-pinned", "")
    assert stands() == wanted


def test_a_point_opens_the_rollouts_of_its_step(page: Page, address: str, run: StageRun) -> None:
    def opened(step: int) -> re.Pattern[str]:
        return re.compile(rf"/runs/{run.pk}/rollouts/\?from_step={step}&to_step={step}$")

    page.goto(address)
    expect(lines(page, "reward")).to_have_count(11)
    chart(page, "reward").scroll_into_view_if_needed()
    page.mouse.move(*page.evaluate(PLACE, 50))
    expect(chart(page, "reward").locator(".plot[data-opens]")).to_be_attached()
    page.mouse.click(*page.evaluate(PLACE, 50))
    page.wait_for_url(opened(50))
    expect(page.get_by_label("From step")).to_have_value("50")
    page.go_back()
    expect(lines(page, "reward")).to_have_count(11)
    show_points(chart(page, "reward"))
    newest = chart(page, "reward").locator(".table tbody tr").first
    expect(newest.get_by_role("link")).to_have_attribute("href", opened(60))
    chart(page, "reward").locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url(opened(59))
