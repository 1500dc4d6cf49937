"""The overview and the frame of every page in a real browser: live, accessible, by keyboard, on paper, on a phone."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from tests import factories, histories
from tests.axe import violations, without_policy
from webapp.accounts.models import SavedView
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State, Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make_worker(name: str = "worker-1@lab", **fields: object) -> Worker:
    values: dict[str, object] = {"hostname": "lab", "boot_id": "b", "pid": 1, "process_started": 1.0}
    return Worker.objects.create(name=name, devices=["cpu:0", "cpu:1"], queues=["default"], **values | fields)  # type: ignore[arg-type]


def test_an_empty_installation_leads_to_a_recipe(page: Page, address: str) -> None:
    page.goto(f"{address}/")
    steps = page.get_by_role("region", name="First steps")
    expect(steps.get_by_role("link", name="Launch the demo")).to_be_visible()
    steps.get_by_role("button", name="Do not show again").click()
    expect(steps).to_have_count(0)
    expect(page.get_by_text("Nothing was launched here yet")).to_be_visible()
    page.get_by_role("link", name="Choose a recipe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("New experiment")


def test_the_overview_says_what_happens_and_moves_by_itself(page: Page, address: str) -> None:
    histories.make_history("demo-1", done=6)
    experiment = factories.make_experiment("smoke-1")
    make_worker()
    page.goto(f"{address}/")
    expect(page.locator(".live")).to_have_text("live")
    page.evaluate("window.never_reloaded = true")
    expect(page.get_by_text("Nothing needs attention")).to_be_visible()
    expect(page.locator("#overview")).to_contain_text("2 queued, 10 waiting")
    expect(page.locator("#overview")).to_contain_text("2 of 2 slots free")
    result = page.locator(".results tbody tr")
    expect(result).to_contain_text("grpo")
    expect(result.locator(".verdict")).to_be_visible()
    run = factories.run_of(experiment, "baseline", "pretrain")
    factories.make_attempt(run, state=State.RUNNING)
    StageRun.objects.filter(pk=run.pk).update(progress_done=30, progress_total=150, progress_unit="steps")
    lifecycle.notify(experiment=experiment.pk, run=run.pk, state="running")
    row = page.get_by_role("list", name="Runs under way in smoke-1").get_by_role("listitem")
    expect(row).to_contain_text("30/150 steps")
    expect(row).to_contain_text("cpu:0")
    tile = page.get_by_role("article").filter(has_text="smoke-1")
    expect(tile).to_contain_text("0 of 12 runs")
    expect(page.locator('.timeline .lane rect[data-state="running"]')).to_have_count(1)
    StageRun.objects.filter(pk=run.pk).update(error="out of memory; take less")
    assert lifecycle.move(run.pk, State.RUNNING, State.FAILED, error="out of memory; take less")
    concern = page.locator(".concerns li", has_text="smoke-1: pretrain, baseline, seed 0 failed")
    expect(concern).to_contain_text("out of memory; take less")
    assert page.evaluate("window.never_reloaded")
    concern.get_by_role("link").click()
    page.wait_for_url(f"{address}/runs/{run.pk}/")


def test_what_no_worker_takes_needs_attention(page: Page, address: str) -> None:
    factories.make_experiment("smoke-1")
    make_worker(heartbeat_at=timezone.now() - timedelta(minutes=2))
    page.goto(f"{address}/")
    expect(page.locator(".concerns li").first).to_contain_text("No worker answers, and 2 runs are queued")
    expect(page.locator(".concerns")).to_contain_text("Worker worker-1@lab is unreachable")


def test_the_list_of_experiments_is_narrowed_and_kept_in_order(page: Page, address: str) -> None:
    histories.make_history("demo-1", done=6)
    factories.make_experiment("smoke-1")
    factories.make_experiment("smoke-2")
    page.goto(f"{address}/experiments/")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(page.locator("#row-demo-1 .verdict")).to_be_visible()
    expect(page.locator("#row-demo-1 .spark polyline")).to_have_count(2)
    page.get_by_role("combobox", name="State").select_option("succeeded")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(f"{address}/experiments/?state=succeeded")
    page.get_by_role("searchbox", name="Search").fill("nothing like it")
    page.get_by_role("link", name="show all of them").click()
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Star smoke-2").click()
    expect(page.get_by_role("button", name="Star smoke-2", pressed=True)).to_be_visible()
    page.get_by_role("checkbox", name="Choose smoke-1").check()
    page.get_by_role("checkbox", name="Choose demo-1").check()
    bar = page.get_by_role("form", name="Chosen experiments")
    expect(bar).to_contain_text("2 chosen")
    bar.get_by_role("combobox", name="Tag").fill("paper")
    bar.get_by_role("combobox", name="Tag").press("Enter")
    expect(page.get_by_role("link", name="paper")).to_have_count(2)
    bar.get_by_role("button", name="Archive", exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(3)
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.get_by_role("checkbox", name="Choose all shown").check()
    expect(bar).to_contain_text("3 chosen")
    bar.get_by_role("button", name="None").click()
    expect(bar).to_be_hidden()
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Device time").uncheck()
    expect(page.get_by_role("columnheader", name="Device time")).to_be_hidden()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Started").click()
    expect(page.get_by_role("columnheader", name="Started")).to_have_attribute("aria-sort", "ascending")
    expect(page.get_by_role("columnheader", name="Device time")).to_be_hidden()
    page.get_by_role("link", name="smoke-1").click()
    page.locator("summary", has_text="Rename").click()
    page.get_by_role("textbox", name="Title").fill("")
    page.get_by_role("button", name="Save title").click()
    expect(page.get_by_role("alert")).to_contain_text("1 to 200 characters")
    page.get_by_role("textbox", name="Title").fill("The first try")
    page.get_by_role("button", name="Save title").click()
    expect(page.locator(".organise .summary")).to_have_text("The first try")
    expect(page.locator(".events").first).to_contain_text("renamed, before: One-step multiplication")
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator("#organise")).to_contain_text("Archived by ada")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Archive", exact=True)).to_be_visible()


def test_the_theme_changes_at_once_and_stays(page: Page, address: str) -> None:
    histories.make_history("demo-1", done=6)
    page.emulate_media(color_scheme="light")
    page.goto(f"{address}/experiments/demo-1/")
    axis = page.locator(".answer .ytick text").first
    light = axis.evaluate("one => getComputedStyle(one).fill")
    page.evaluate("window.never_reloaded = true")
    page.locator("summary", has_text="ada").click()
    theme = page.get_by_role("group", name="Theme").locator("visible=true")
    with page.expect_response("**/account/theme/"):
        theme.get_by_role("button", name="Dark").click()
    expect(theme.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("body")).to_have_css("background-color", "rgb(24, 21, 26)")
    expect(axis).not_to_have_css("fill", light)
    assert page.evaluate("window.never_reloaded")
    page.reload()
    expect(page.locator("body")).to_have_css("background-color", "rgb(24, 21, 26)")
    page.emulate_media(media="print")
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")


def test_a_view_is_saved_with_its_choices_and_found_again(page: Page, address: str) -> None:
    factories.make_experiment("smoke-1")
    page.goto(f"{address}/experiments/?state=failed")
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save this view as").locator("visible=true").fill("What failed")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as “What failed”")).to_be_visible()
    assert page.url == f"{address}/experiments/?state=failed"
    page.goto(f"{address}/")
    page.locator("main").get_by_role("link", name="What failed").click()
    page.wait_for_url(f"{address}/experiments/?state=failed")
    page.goto(f"{address}/views/")
    page.get_by_label("Name of What failed").fill("Failures")
    page.get_by_label("shared").check()
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_text("“Failures” is changed")).to_be_visible()
    assert SavedView.objects.get().shared
    page.get_by_role("button", name="Delete Failures").click()
    expect(page.get_by_text("“Failures” is deleted")).to_be_visible()
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_beside_an_open_menu(
    browser: Browser, page: Page, address: str, scheme: str
) -> None:
    factories.make_experiment("demo-1")
    other = without_policy(browser, page, color_scheme=scheme)
    for width in (1280, 390):
        other.set_viewport_size({"width": width, "height": 844})
        other.goto(f"{address}/experiments/")
        other.locator("details.menu:visible > summary").first.click()
        assert violations(other) == [], width
    other.goto("about:blank")
    other.context.close()


def test_the_bar_is_a_menu_on_a_phone_even_without_scripts(
    browser: Browser, page: Page, address: str
) -> None:
    context = browser.new_context(
        storage_state=page.context.storage_state(),
        java_script_enabled=False,
        viewport={"width": 390, "height": 844},
    )
    phone = context.new_page()
    phone.goto(f"{address}/")
    expect(phone.get_by_role("link", name="Experiments")).to_have_count(0)
    phone.locator("summary", has_text="Menu").click()
    phone.get_by_role("link", name="Experiments", exact=True).click()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Experiments")
    phone.get_by_role("link", name="Search").click()
    phone.get_by_label("Words").fill("demo")
    phone.get_by_role("button", name="Search").click()
    phone.get_by_role("link", name="Set up demo").click()
    expect(phone.get_by_role("button", name="Launch")).to_be_visible()
    context.close()


def test_on_paper_there_is_the_table_and_where_it_came_from(page: Page, address: str) -> None:
    histories.make_history("demo-1", done=6)
    page.goto(f"{address}/experiments/demo-1/report/")
    expect(page.locator(".origin")).to_be_hidden()
    page.emulate_media(media="print", color_scheme="dark")
    for gone in (".bar", ".actions", ".crumbs"):
        expect(page.locator(gone).first).to_be_hidden()
    expect(page.locator(".origin")).to_contain_text(f"{address}/experiments/demo-1/report/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.locator(".scroll").first.evaluate("one => getComputedStyle(one).overflowX") == "visible"
