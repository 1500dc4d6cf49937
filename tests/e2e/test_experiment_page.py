"""An experiment's page in a real browser: its notes, its settings, when it will be done, its place in the queue."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories, histories
from tests.served import session
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.runs import lifecycle, queues
from webapp.runs.models import State
from webapp.runs.querysets import in_line

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make_smoke() -> Experiment:
    recipe = recipes.build(recipes.read("smoke"), [("stages.grpo.temperature", 0.8)])
    return launch(recipe=recipe, owner=factories.make_user(), reuse=False)


def test_notes_are_written_in_place_and_html_stays_text(page: Page, address: str) -> None:
    factories.make_experiment()
    page.goto(f"{address}/experiments/demo-1/")
    page.evaluate("window.never_reloaded = true")
    notes = page.locator("#notes")
    notes.get_by_role("button", name="Write notes").click()
    field = notes.get_by_label("Notes in Markdown")
    expect(field).to_be_focused()
    field.fill("# Plan\n\n**More** seeds <script>window.hacked = true</script> [x](javascript:alert(1))")
    notes.get_by_role("button", name="Preview").click()
    expect(notes.get_by_role("region", name="Preview").locator("strong")).to_have_text("More")
    assert Experiment.objects.get().notes == ""
    notes.get_by_role("button", name="Save notes").click()
    expect(notes.locator(".prose h3")).to_have_text("Plan")
    expect(notes.locator(".prose")).to_contain_text("<script>window.hacked = true</script>")
    expect(notes.locator(".prose a")).to_have_count(0)
    expect(notes).to_contain_text("by ada")
    assert not page.evaluate("window.hacked")
    assert page.evaluate("window.never_reloaded")


def test_two_who_edit_at_once_lose_nothing(page: Page, address: str) -> None:
    factories.make_experiment(notes="first")
    page.goto(f"{address}/experiments/demo-1/")
    notes = page.locator("#notes")
    notes.get_by_role("button", name="Edit").click()
    notes.get_by_label("Notes in Markdown").fill("mine")
    Experiment.objects.update(notes="theirs", notes_version=1, notes_by="bob")
    notes.get_by_role("button", name="Save notes").click()
    expect(notes.get_by_role("alert")).to_contain_text("Not saved. bob saved these notes")
    expect(notes.get_by_label("Notes in Markdown")).to_have_value("mine")
    expect(notes.get_by_label("Stored now, by bob")).to_have_value("theirs")
    notes.get_by_label("Notes in Markdown").fill("theirs and mine")
    notes.get_by_role("button", name="Save notes").click()
    expect(notes.locator(".prose")).to_have_text("theirs and mine")
    assert Experiment.objects.get().notes_version == 2


def test_cancelling_asks_in_a_dialog_and_shows_until_the_worker_has_ended_it(
    page: Page, address: str
) -> None:
    run = factories.make_run("pretrain", experiment=factories.make_experiment(), condition="baseline")
    page.goto(f"{address}/experiments/demo-1/")
    button = page.get_by_role("main").get_by_role("button", name="Cancel")
    button.click()
    dialog = page.get_by_role("dialog", name="Cancel demo-1?")
    expect(dialog).to_contain_text("1 running ends within seconds")
    expect(dialog.get_by_role("button", name="Keep running")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Cancel 12 runs").click()
    state = page.locator(".facts .state")
    expect(state).to_have_text("cancelling")
    expect(page.locator("#live")).to_have_text("live")
    assert lifecycle.move(run.pk, State.RUNNING, State.CANCELLED)
    expect(state).to_have_text("cancelled")


def test_notes_work_without_scripts(browser: Browser, address: str) -> None:
    factories.make_experiment()
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies([{"name": n, "value": v, "url": address} for n, v in session().items()])
    page = context.new_page()
    page.goto(f"{address}/experiments/demo-1/")
    page.get_by_role("button", name="Write notes").click()
    page.get_by_label("Notes in Markdown").fill("- by form")
    page.get_by_role("button", name="Save notes").click()
    expect(page.locator("#notes .prose li")).to_have_text("by form")
    page.get_by_label("Search settings").press("Enter")
    page.wait_for_url("**/experiments/demo-1/#settings")
    context.close()


def test_settings_show_differences_and_are_searched(page: Page, address: str) -> None:
    make_smoke()
    page.goto(f"{address}/experiments/smoke-1/")
    rows = page.locator(".settings-table tbody tr:not(.group)")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="stages.grpo.temperature")).to_contain_text("1.0")
    page.get_by_label("Only differences").focus()
    page.keyboard.press("Space")
    expect(page.locator("#settings-table")).to_contain_text("pretrain.steps")
    page.wait_for_url("**/experiments/smoke-1/?only=no")
    page.get_by_label("Search settings").fill("n_layer")
    expect(rows).to_have_count(1)
    page.wait_for_url("**/experiments/smoke-1/?only=no&find=n_layer")
    page.reload()
    expect(rows).to_have_count(1)
    expect(page.get_by_label("Only differences")).not_to_be_checked()


def test_when_it_is_done_is_said_in_the_readers_own_time(browser: Browser, address: str) -> None:
    experiment = histories.make_history("demo-1", done=5)
    context = browser.new_context(
        timezone_id="Asia/Kolkata"
    )  # half an hour off, so that UTC does not pass for it
    context.add_cookies([{"name": n, "value": v, "url": address} for n, v in session().items()])
    page = context.new_page()
    page.goto(f"{address}/experiments/{experiment.name}/")
    done = page.locator(".lead time[data-clock]")
    expect(done).not_to_contain_text("UTC")
    local = done.evaluate("(one) => new Date(one.dateTime).toTimeString().slice(0, 5)")
    assert done.inner_text().endswith(local)
    assert "UTC" in (done.get_attribute("title") or "")
    expect(page.locator(".lead")).to_contain_text("in ")
    page.goto("about:blank")
    context.close()


def test_the_place_in_the_queue_follows_what_others_do(page: Page, address: str) -> None:
    factories.make_experiment("first-1")
    second = factories.make_experiment("second-1")
    page.goto(f"{address}/experiments/second-1/")
    turn = page.locator(".turn")
    expect(turn).to_contain_text("Number 2 of 2 experiments in the queue default, behind 2 queued runs")
    expect(page.locator(".live")).to_have_text("live")
    page.evaluate("window.never_reloaded = true")
    queues.pause(queue="default", by="bob")
    expect(turn).to_contain_text("was paused by bob")
    queues.move(experiment=second, queue="default", to=queues.Move.FRONT, by="bob")
    expect(turn).to_contain_text("First in the queue default")
    assert page.evaluate("window.never_reloaded")
    turn.get_by_role("button", name="Resume the queue").click()
    expect(page.get_by_role("status").first).to_contain_text("is resumed")
    page.get_by_role("button", name="Move second-1 down").click()
    expect(turn).to_contain_text("Number 2 of 2")
    assert [one.name for one in in_line("default")] == ["first-1", "second-1"]
