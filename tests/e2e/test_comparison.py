"""Comparing in a real browser: flips with both texts, the answer as a picture, experiments against each other."""

import re

import plotly.io
import pytest
from playwright.sync_api import Page, Route, expect

from tests import factories
from tests.e2e.charting import open_menu, show_points
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import State

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def evaluated(name: str, marks: dict[tuple[str, str], str], **fields: object) -> Experiment:
    """An experiment of two stages; marks: (condition, stage) → a letter a problem, r where it is right."""
    experiment = factories.make_experiment(name, stages=(("mixed", "sft"), ("grpo", "grpo")), **fields)  # type: ignore[arg-type]
    for (condition, stage), letters in marks.items():
        for seed in experiment.seeds:
            run = factories.run_of(experiment, condition, stage, seed)
            attempt = factories.make_attempt(run, state=State.SUCCEEDED)
            factories.add_evaluation(attempt, [letter == "r" for letter in letters], mul_tokens=seed)
    return experiment


MARKS = {
    ("baseline", "mixed"): "rrrr----------" * 4,
    ("baseline", "grpo"): "rr--rr--------" * 4,
    ("mul_tokens", "mixed"): "rrrr--rr------" * 4,
    ("mul_tokens", "grpo"): "r---rr--rrrrrr" * 4,
}


def test_the_stage_table_opens_exactly_its_flips_and_they_are_narrowed(page: Page, address: str) -> None:
    evaluated("demo-1", MARKS)
    page.goto(f"{address}/experiments/demo-1/comparison/")
    row = page.locator("#stage-table tbody tr").nth(1)
    row.get_by_role("link", name="24 gained").click()
    expect(page.get_by_role("heading", name="Flips", exact=True)).to_be_visible()
    expect(page.locator(".flip")).to_have_count(24)
    expect(page.locator(".facts").first).to_contain_text("mul_tokens − baseline +35.7 points")
    expect(page.get_by_role("link", name="24 only mul_tokens right")).to_have_attribute(
        "aria-current", "true"
    )
    first = page.locator(".flip").first
    expect(first.locator("h3")).to_have_text("p0008")
    expect(first.locator(".texts > div")).to_have_count(2)
    expect(first.locator(".texts")).to_contain_text("baseline after grpo ✕ wrong")
    expect(first.locator(".texts")).to_contain_text("mul_tokens after grpo ✓ right")
    expect(first).to_contain_text("gained and kept")
    expect(first.locator(".way").last).to_have_text(
        "mixed ✕ wrong grpo ✓ right gained and kept", use_inner_text=False
    )
    page.get_by_role("link", name="all 56").click()
    expect(page.locator(".flip")).to_have_count(25)
    page.get_by_role("heading", name="Paths through the stages").click()
    page.get_by_role("link", name="20 solved at first, then lost in mul_tokens").click()
    expect(page.locator(".flip")).to_have_count(20)
    expect(page.locator(".flip h3").first).to_have_text("p0001")
    page.get_by_role("link", name="Show others, too, than solved at first, then lost in mul_tokens").click()
    page.get_by_role("heading", name="Paths through the stages").click()
    page.get_by_role("link", name="8 first right after grpo in baseline").click()
    expect(page.locator(".flip")).to_have_count(8)
    expect(page.get_by_text("Download 8 rows")).to_be_visible()
    page.wait_for_load_state()  # with the script that applies a choice
    page.get_by_role("heading", name="Compare another pair").click()
    page.get_by_label("Condition").first.select_option("mul_tokens")
    expect(page).to_have_url(re.compile("first=mul_tokens"))  # at once
    expect(page.get_by_label("Condition").first).to_be_focused()
    page.get_by_label("after stage").first.select_option("mixed")
    expect(page.get_by_role("link", name="gained 32")).to_be_visible()
    expect(page.get_by_role("link", name="lost 20")).to_be_visible()


CELLS = """map => {
  const canvas = map.querySelector("canvas"), pen = canvas.getContext("2d"), scale = devicePixelRatio
  const probe = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d")
  const of = {}
  for (const key of document.querySelectorAll("#map-keys .map-key")) {
    probe.fillStyle = getComputedStyle(key).backgroundColor
    probe.fillRect(0, 0, 1, 1)
    of[probe.getImageData(0, 0, 1, 1).data.join()] = key.dataset.move
  }
  const at = (x, y) => of[pen.getImageData(x * scale, y * scale, 1, 1).data.join()]
  const lefts = [0, 56, 124, 180] // two blocks of two columns
  return lefts.map((left) => Array.from({ length: 56 }, (_, row) => at(left + 2, row * 6 + 3)).join(""))
}"""  # each cell's letter by its colour at the edge, where what is lost has a bar


def test_the_problem_map_is_drawn_and_opens_a_problem(page: Page, address: str) -> None:
    evaluated("demo-1", MARKS)
    page.goto(f"{address}/experiments/demo-1/")

    def choose_before(route: Route) -> None:
        page.get_by_label("Order of the problems").select_option("as the benchmark has them")
        route.continue_()

    page.route(
        re.compile(r"/js/choices\."), choose_before, times=1
    )  # a choice before the script that applies it
    page.get_by_role("link", name="Problem map").click()
    expect(page).to_have_url(re.compile("order=benchmark"))
    map = page.get_by_role("group", name="One row per problem, one column per stage")
    expect(map).to_have_attribute("data-drawn", "yes")
    expected = []
    for condition in ("baseline", "mul_tokens"):
        before, after = MARKS[condition, "mixed"], MARKS[condition, "grpo"]
        moved = {"--": "w", "-r": "g", "r-": "l", "rr": "r"}
        expected.append(before.replace("-", "w"))
        expected.append("".join(moved[a + b] for a, b in zip(before, after, strict=True)))
    assert map.evaluate(CELLS) == expected
    map.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#map-at")).to_have_text(
        "p0001 · baseline after grpo: right · right in the end in 1 of 2"
    )
    with page.expect_navigation():  # keys are read once the page has loaded
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="p0001", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="After grpo")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="After mixed")).to_be_visible()
    expect(page).to_have_url(re.compile("stage=mixed"))
    page.get_by_role("link", name="Next problem").click()
    expect(page.get_by_role("heading", name="p0002", level=1)).to_be_visible()
    expect(page.get_by_role("heading", name="After mixed")).to_be_visible()
    page.get_by_role("button", name="Next stage").click()
    expect(page.get_by_role("heading", name="After grpo")).to_be_visible()
    expect(page.get_by_text("lost here")).to_have_count(2)


def test_the_answer_is_drawn_and_each_point_opens_its_flips(page: Page, address: str) -> None:
    evaluated("demo-2", MARKS, seeds=[0, 1])
    page.goto(f"{address}/experiments/demo-2/")
    expect(page.locator("#answer .js-plotly-plot")).to_have_count(2)
    expect(page.locator(".hero .verdict-sentence").first).to_contain_text("After grpo, ")
    page.goto(f"{address}/experiments/demo-2/comparison/")
    figure = page.locator('#answer .chart[data-chart="difference"]')
    expect(figure.locator(".js-plotly-plot")).to_be_visible()
    show_points(figure)
    expect(figure.locator("tbody tr")).to_have_text(
        [
            re.compile(r"mixed\s*mean of 2 seeds: \+14\.3 points"),
            re.compile(r"grpo\s*mean of 2 seeds: \+35\.7 points.*; primary: "),
        ]
    )
    open_menu(figure)
    with page.expect_download() as download:
        figure.get_by_role("button", name="Plotly JSON").click()
    loaded = plotly.io.read_json(download.value.path())
    assert [trace.name for trace in loaded.data][:1] == ["mul_tokens − baseline"], "a notebook has the figure"
    figure.locator(".plot").scroll_into_view_if_needed()
    x, y = figure.locator(".plot").evaluate(
        "plot => { const { xaxis, yaxis } = plot._fullLayout, box = plot.getBoundingClientRect(), [line] = plot.data;"
        " return [box.left + xaxis._offset + xaxis.d2p(line.x[1]), box.top + yaxis._offset + yaxis.d2p(line.y[1])] }"
    )
    page.mouse.move(x, y)
    expect(figure.locator(".hoverlayer")).to_contain_text("mul_tokens − baseline after grpo")
    page.mouse.click(x, y)
    expect(page).to_have_url(
        re.compile(
            r"/demo-2/flips/\?.*seed=0&first=baseline&first_stage=grpo&second=mul_tokens&second_stage=grpo"
        )
    )


def test_seeds_are_shown_together(page: Page, address: str) -> None:
    evaluated("demo-2", MARKS, seeds=[0, 1])
    page.goto(f"{address}/experiments/demo-2/comparison/")
    page.get_by_role("combobox", name="Seeds").select_option("together")
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(
        f"{address}/experiments/demo-2/comparison/?benchmark=one_step_multiplication&metric=accuracy&baseline=baseline&problems=&seeds=together"
    )
    expect(page.locator("#stage-table tbody tr")).to_have_count(2)


def test_checkpoints_across_experiments_are_compared_or_refused(page: Page, address: str) -> None:
    evaluated("demo-1", MARKS)
    evaluated("demo-2", MARKS)
    other = evaluated("other-1", MARKS)
    limited = factories.EVALUATION_SETTINGS | {"max_new_tokens": 99}
    Evaluation.objects.filter(attempt__stage_run__experiment=other).update(settings=limited)
    for run in other.runs.all():
        run.spec |= {"model": {"layers": 6}}
        run.save()
    page.goto(f"{address}/experiments/demo-1/comparison/")
    page.get_by_role("link", name="With other experiments").click()
    beside = page.get_by_label("Checkpoint 2").locator("option:checked")
    expect(beside).to_contain_text("mul_tokens after grpo, seed 0")  # its own, until another is chosen
    page.get_by_label("Experiment 2").select_option("demo-2")
    page.get_by_role("button", name="Compare").click()
    page.get_by_label("Checkpoint 2").select_option("mul_tokens after grpo, seed 0")
    page.get_by_label("Experiment 3").select_option("other-1")
    page.get_by_role("button", name="Compare").click()
    rows = page.locator("#across-table tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("+35.7")
    expect(rows.nth(1)).to_contain_text("24 / 4")
    expect(rows.nth(1)).to_contain_text("differ")
    expect(rows.nth(2)).to_contain_text("not compared the token limit differs (28 against 99)")
    expect(page.locator("#difference-table tbody tr")).to_have_count(1)
    expect(page.locator("#difference-table tbody tr")).to_contain_text("model.layers")


def test_the_metric_is_switched_to_an_amount(page: Page, address: str) -> None:
    experiment = evaluated("demo-1", MARKS)
    run = factories.run_of(experiment, "mul_tokens", "grpo")
    Outcome.objects.filter(evaluation__attempt__stage_run=run, correct=True).update(mul_tokens=2)
    page.goto(f"{address}/experiments/demo-1/comparison/")
    page.get_by_role("combobox", name="Metric").select_option("Mul-tokens per completion")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Mul-tokens per completion after every stage")).to_be_visible()
    row = page.locator("#stage-table tbody tr").nth(1)
    expect(row).to_contain_text("+1.286")
    expect(row).to_contain_text("72 in 56")
    expect(page.locator('#answer [data-chart="difference"] [data-unit]')).to_contain_text("mul-tokens")
