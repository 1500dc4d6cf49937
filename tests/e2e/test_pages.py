"""Pages in a real browser over recorded rows: live without a reload, nothing against the policy."""

import re

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from tests import factories, histories
from tests.e2e.charting import show_points
from tests.odd_texts import ODD, give_tokens, write_odd_texts
from webapp.experiments.models import Experiment
from webapp.runs import lifecycle
from webapp.runs.models import Attempt, State
from webapp.telemetry.models import Rollout, RolloutGroup

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def record(attempt: Attempt, step: int, count: int = 4) -> None:
    """What ingest does: rows, the new journal_seq and the notification in one transaction."""
    with transaction.atomic():
        factories.add_rollouts(attempt, step=step, count=count)
        run = attempt.stage_run
        lifecycle.notify(
            experiment=run.experiment_id, run=run.pk, attempt=attempt.pk, seq=attempt.journal_seq
        )


def test_groups_arrive_without_a_reload_and_once(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    histories.train(attempt, "grpo", steps=3)
    page.goto(f"{address}/runs/{run.pk}/")
    expect(page.locator(".live")).to_have_text("live")
    page.evaluate("window.never_reloaded = true")
    rows = page.locator("#rollouts tbody tr")
    expect(rows).to_have_count(6)
    record(attempt, step=4)
    expect(page.locator("#rollout-count")).to_have_text("52")
    record(attempt, step=5)
    record(attempt, step=6)
    expect(page.locator("#rollout-count")).to_have_text("60")
    expect(rows).to_have_count(6)
    expect(rows.first.locator(".step")).to_have_text("6")
    ids = rows.evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids)) == 6
    assert page.evaluate("window.never_reloaded")


def test_a_list_of_groups_is_narrowed_read_and_grows_where_it_stands(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    record(attempt, step=1)
    page.goto(f"{address}/runs/{run.pk}/rollouts/")
    expect(page.locator("#live")).to_have_text("live")
    page.evaluate("window.never_reloaded = true")
    rows, pane = page.locator("#groups tr"), page.get_by_role("region", name="Chosen group")
    expect(rows).to_have_count(1)
    page.get_by_text("More filters").click()
    page.get_by_label("From step").fill("2")
    page.get_by_label("Answer").select_option("correct")
    expect(page.locator("#found [role=status]")).to_contain_text("0 of 1 group")
    expect(page).to_have_url(re.compile(r"\?from_step=2&answer=correct"))
    factories.add_rollouts(attempt, step=2, count=40)
    record(attempt, step=3)
    fitting = RolloutGroup.objects.filter(step__gte=2, correct__gt=0).order_by("-pk")
    names = [f"Group {one.group}, step {one.step}" for one in fitting]
    expect(rows).to_have_count(len(names))
    expect(page.locator("#found [role=status]")).to_contain_text(f"{len(names)} of 7 groups")
    page.get_by_role("heading", name="Rollouts").click()  # so that nothing is being filled in
    page.keyboard.press("j")
    expect(pane.get_by_role("heading", level=2)).to_have_text(names[0])
    page.keyboard.press("ArrowDown")
    expect(pane.get_by_role("heading", level=2)).to_have_text(names[1])
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    record(attempt, step=4)
    show = page.get_by_role("button", name="Show 4 newer")
    expect(show).to_be_visible()  # a reader's rows do not move
    expect(rows).to_have_count(len(names))
    show.click()
    expect(rows).to_have_count(RolloutGroup.objects.filter(step__gte=2, correct__gt=0).count())
    expect(pane.get_by_role("heading", level=2)).to_have_text(names[1])
    bar = page.get_by_role("link", name=re.compile("^Reward .*rollouts$")).last
    bar.click()
    expect(page.get_by_label("Reward from")).not_to_have_value("")
    expect(page.locator("#downloads")).to_contain_text("that fit")
    assert page.evaluate("window.never_reloaded")
    page.reload()
    expect(pane.get_by_role("heading", level=2)).to_have_text(names[1])
    page.set_viewport_size({"width": 390, "height": 800})
    rows.last.get_by_role("link").click()  # on a phone a group has a page of its own
    expect(page).to_have_url(re.compile(r"/rollouts/\d+/$"))
    expect(page.locator(".completions .stack").first).to_be_attached()


def test_charts_are_drawn_and_have_tables(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    histories.train(run.attempts.get(), "grpo", steps=12)
    page.goto(f"{address}/runs/{run.pk}/")
    chart = page.locator('[data-chart="reward"]')
    expect(chart.locator(".scatterlayer path.js-line")).to_have_count(2)  # smoothed, and as recorded
    show_points(chart)
    expect(chart.locator("tbody tr")).to_have_count(12)
    assert chart.locator(".plot").get_attribute("aria-label")


def test_the_grid_moves_by_itself(page: Page, address: str) -> None:
    experiment = factories.make_experiment()
    run = factories.run_of(experiment, "baseline", "pretrain")
    page.goto(f"{address}/experiments/demo-1/")
    expect(page.locator(".live")).to_have_text("live")
    page.evaluate("window.never_reloaded = true")
    factories.make_attempt(run, state=State.RUNNING)
    lifecycle.notify(experiment=experiment.pk, run=run.pk, state="running")
    expect(page.locator(f"#box-{run.pk}")).to_have_attribute("data-state", "running")
    assert page.evaluate("window.never_reloaded")


def test_a_mistake_in_the_form_is_shown_where_it_is(page: Page, address: str) -> None:
    page.goto(f"{address}/experiments/new/smoke/")
    page.locator("summary", has_text="grpo").click()
    page.get_by_label("Prompts", exact=True).fill("0")
    page.get_by_role("button", name="Launch").click()
    wrong = page.locator('[id="field-stages.grpo.prompts"]')
    expect(wrong).to_be_visible()
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_value("0")
    expect(page.get_by_role("alert")).to_contain_text("Nothing was launched")
    assert not Experiment.objects.exists()


def test_the_plan_follows_the_fields(page: Page, address: str) -> None:
    page.goto(f"{address}/experiments/new/phase6_grpo_20x/")
    plan = page.locator("#plan")
    expect(plan).to_contain_text("80,000 a condition")
    page.get_by_label("Size", exact=True).select_option("1x")
    expect(plan).to_contain_text("4,000 a condition")
    expect(plan).to_contain_text("At 2 % accuracy, at least 92 % of the groups")
    page.locator('[id="field-seeds"]').fill("0, 1, 2")
    expect(plan).to_contain_text("3 seeds show a difference")
    page.get_by_text("Plan for something else").click()
    wished = page.get_by_label("Wished difference")
    wished.press_sequentially("2")
    expect(plan).to_contain_text("a difference of gains of 2.0 points takes")
    expect(wished).to_be_focused()
    page.locator('[id="field-seeds"]').fill("0, 0")
    expect(plan).to_contain_text("listed twice")
    page.locator('[id="field-seeds"]').fill("0, 1")
    expect(plan).to_contain_text("a difference of gains of 2.0 points takes")
    assert not Experiment.objects.exists()


def test_what_is_reused_follows_the_fields(page: Page, address: str) -> None:
    page.goto(f"{address}/experiments/new/smoke/")
    offers = page.locator("#offers")
    expect(offers).to_contain_text("None of the 8 runs")
    page.locator('[id="field-seeds"]').fill("0, 1")
    expect(offers).to_contain_text("None of the 16 runs")
    page.locator('[id="field-seeds"]').fill("0, 0")
    expect(page.locator("#plan")).to_contain_text("listed twice")


def test_a_finding_leads_to_its_chart_and_its_rollouts(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    histories.train(attempt, "grpo", steps=60)
    attempt.metrics.filter(name="hit_limit").delete()
    factories.add_metrics(attempt, {"hit_limit": [0.02] * 20 + [0.6] * 40})
    for one in attempt.rollouts.filter(step=60)[:2]:
        attempt.rollouts.filter(pk=one.pk).update(hit_limit=True)
    page.goto(f"{address}/experiments/demo-1/")
    expect(page.locator(".live")).to_have_text("live")
    finding = page.locator('#findings .finding[data-kind="hit_limit"]')
    expect(finding).to_contain_text("warning")
    finding.locator("summary strong").click()
    with page.expect_response(lambda response: response.url.endswith("/findings/")):
        lifecycle.notify(experiment=run.experiment_id, run=run.pk, state="running")
    expect(finding.locator("a", has_text="Hypothesis").first).to_be_visible()  # news folds nothing
    finding.locator("a", has_text="chart: Hit-limit rate").click()
    expect(page.locator("#chart-hit_limit .plot")).to_be_in_viewport()
    row = page.locator(".dynamics tr", has_text="Hit-limit rate")
    expect(row).to_contain_text("rising")
    own = page.locator('#findings .finding[data-kind="hit_limit"]')
    own.locator("summary strong").click()
    own.locator("a", has_text="rollouts of step 60").click()
    expect(page).to_have_url(re.compile(r"/rollouts/\?from_step=60&to_step=60&hit_limit=on$"))
    cut = attempt.rollouts.filter(step=60, hit_limit=True).count()
    expect(page.locator("#downloads")).to_contain_text(f"The {cut} that fit")


def test_a_cell_of_the_prompt_map_opens_its_group(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    for step in (1, 2):
        seq = factories.add_rollouts(attempt, step=step, count=8)
        Rollout.objects.filter(attempt=attempt, seq=seq).update(prompt="User: how many?", correct=step == 2)
    page.goto(f"{address}/runs/{run.pk}/")
    page.get_by_role("link", name="Prompt map").click()
    map = page.get_by_role("group", name="mul_tokens")
    expect(map).to_have_attribute("data-drawn", "yes")
    map.focus()
    page.keyboard.press("ArrowDown")
    said = page.locator(".map-at")
    expect(said).to_have_text("step 1: 0 of 8 right · never solved, 0 % at first · User: how many?")
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("step 2: 8 of 8 right")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("Group .*, step 2"))).to_be_visible()


def test_odd_texts_break_no_page_and_are_copied_as_they_are(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    factories.add_rollouts(run.attempts.get(), count=len(ODD), group_size=len(ODD))
    write_odd_texts(Rollout.objects.order_by("index"))
    for path in ("", f"{Rollout.objects.earliest('pk').pk}/"):
        page.goto(f"{address}/runs/{run.pk}/rollouts/{path}")
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert sizes[0] <= sizes[1], f"{path or 'list'} at {width}"
    override = page.locator(".model-text", has_text="safe")
    assert override.evaluate(
        """(text) => {
          const node = [...text.childNodes].find((one) => one.nodeValue?.includes("txt.exe"));
          const left = (place) => { const one = document.createRange(); one.setStart(node, place); one.setEnd(node, place + 1);
            return one.getBoundingClientRect().left; };
          return left(node.nodeValue.indexOf("txt")) < left(node.nodeValue.indexOf("exe"));
        }"""
    ), "an override turns nothing round"
    copied = page.locator(".model-text", has_text="bell").evaluate(
        "(text) => { getSelection().selectAllChildren(text); return String(getSelection()); }"
    )
    assert "bell\x07 back\x08space\x1b[31mred\x1b[0m line" in copied
    long = page.locator(".text-place", has_text="long text of many words")
    expect(long).not_to_contain_text("and its end")
    long.get_by_role("link", name="Show the whole completion, 100,011 characters").click()
    expect(long).to_contain_text("and its end")


def test_tokens_are_read_by_keyboard_and_coloured_by_what_is_chosen(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    factories.add_rollouts(run.attempts.get())
    for one in Rollout.objects.all():
        Rollout.objects.filter(pk=one.pk).update(completion=f"{one.completion} {one.index}")
    give_tokens(Rollout.objects.all())
    page.goto(f"{address}/runs/{run.pk}/rollouts/{Rollout.objects.earliest('pk').pk}/")
    page.evaluate("window.never_reloaded = true")
    page.get_by_role("radio", name="Entropy").check()
    expect(page).to_have_url(re.compile(r"\?measure=entropy$"))
    expect(page.locator(".token-chart figcaption")).to_have_text(re.compile("Entropy against position"))
    page.get_by_role("radio", name="Entropy").press("ArrowRight")
    expect(page).to_have_url(re.compile(r"\?measure=advantage$"))
    shown = page.locator(".tokens")
    expect(shown).to_have_count(4)
    page.get_by_role("checkbox", checked=True).first.uncheck()
    expect(shown).to_have_count(3)
    expect(page).to_have_url(re.compile("completion=.*completion="))
    shown.first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    token = shown.nth(1).locator("span[data-shade]").nth(1)
    expect(token).to_be_focused()
    expect(page.locator("#token-values")).to_contain_text(token.get_attribute("title") or "no title")
    expect(page.locator("#token-others")).to_contain_text("here in each completion")
    assert page.locator(".token-chart .cursor").get_attribute("x1") == "1.5"
    page.locator(".token-completion summary").first.click()
    expect(page.locator(".tokens-table tbody tr")).to_have_count(shown.first.locator("> span").count())
    assert page.evaluate("window.never_reloaded")


def test_problems_are_read_beside_their_list(page: Page, address: str) -> None:
    run = factories.make_run("grpo")
    evaluation = factories.add_evaluation(run.attempts.get(), [i % 3 > 0 for i in range(60)])
    page.goto(f"{address}/evaluations/{evaluation.pk}/")
    page.evaluate("window.never_reloaded = true")
    read = page.get_by_role("group", name="The problem that is read")
    expect(read.get_by_role("heading", level=2)).to_have_text("p0000")
    page.get_by_role("link", name="p0003").click()
    expect(page).to_have_url(re.compile(r"\?problem=p0003&page=1$"))
    expect(read.get_by_role("heading", level=2)).to_have_text("p0003")
    page.keyboard.press("ArrowDown")
    expect(read.get_by_role("heading", level=2)).to_have_text("p0004")
    expect(page.locator("#problems [aria-current]")).to_contain_text("p0004")
    page.set_viewport_size({"width": 390, "height": 700})
    page.get_by_role("link", name="p0006").click()
    expect(read.get_by_role("heading", level=2)).to_have_text("p0006")
    expect(read.get_by_role("heading", level=2)).to_be_in_viewport()
    assert page.evaluate("window.never_reloaded")
