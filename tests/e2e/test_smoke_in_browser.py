"""The whole road in a real browser: sign in, launch the smoke recipe, watch it live, compare, download."""

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.stack import RunningStack

CONDITIONS = ("baseline", "mul_tokens")
STAGES = ("pretrain", "instruct", "curriculum", "grpo")
SHORTER = (  # before GRPO, which is watched
    "stages.pretrain.steps=40",
    "stages.instruct.examples=160",
    "stages.curriculum.steps.drills.examples=320",
    "stages.curriculum.steps.word_problems.examples=320",
    "stages.curriculum.steps.mixed.examples=160",
    "benchmarks.one_step_multiplication.problems=60",
)
WHOLE_ROAD = 400_000  # ms: about a minute on two idle cores
# Keeps every state that a box of the grid was seen in; gone after a reload, which is how a reload shows.
WATCH = """() => {
  window.seen = {};
  const look = () => document.querySelectorAll(".box[data-state]").forEach((box) => {
    (window.seen[box.id] ??= new Set()).add(box.dataset.state);
  });
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, attributes: true});
}"""


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_launch_watch_compare_and_download(stack: RunningStack, signed_in: Page) -> None:
    page = signed_in
    name = _launch_with_one_setting_changed(page)
    page.evaluate(WATCH)
    asked = (
        "SELECT DISTINCT r.spec #>> '{settings,prompts}' FROM runs_stagerun r"
        " JOIN experiments_experiment e ON e.id = r.experiment_id"
        " WHERE e.name = %s AND r.state = 'waiting' AND r.spec #>> '{settings,kind}' = 'grpo'"
    )
    assert stack.rows(asked, [name]) == [("200",)]

    grpo = page.context.new_page()
    run_id = _run_id(stack, name, "baseline", "grpo")
    expect(page.locator(f"#box-{run_id}")).to_have_attribute("data-state", "running", timeout=WHOLE_ROAD)
    grpo.goto(f"{stack.address}/runs/{run_id}/")
    counts = _growing_rollouts(grpo)
    assert counts == sorted(set(counts)) and len(counts) >= 3, counts
    grpo.close()

    expect(page.locator('.box[data-state="succeeded"]')).to_have_count(8, timeout=WHOLE_ROAD)
    for box, states in page.evaluate(
        "Object.fromEntries(Object.entries(seen).map(([k, v]) => [k, [...v]]))"
    ).items():
        assert {"running", "succeeded"} <= set(states), (box, states)
    assert "waiting" in page.evaluate(f"[...seen['box-{run_id}']]")

    page.get_by_role("link", name="Comparison").click()
    page.wait_for_url("**/comparison/")  # loaded, with the script that closes a menu when a file is chosen
    _downloads_equal_the_database(stack, name, page)


def _launch_with_one_setting_changed(page: Page) -> str:
    """Launch the smoke recipe by its form; the experiment's name."""
    page.get_by_role("link", name="New experiment").first.click()
    page.locator("a[href='/experiments/new/smoke/']").first.click()
    page.wait_for_url("**/experiments/new/smoke/")  # a click returns before the new page is there
    page.goto(f"{page.url}?{'&'.join(f'set={change}' for change in SHORTER)}")
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    page.locator("[id='field-stages.grpo.prompts']").fill("200")
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url(re.compile(r"/experiments/smoke-\d+/$"))
    return page.url.split("/")[-2]


def _run_id(stack: RunningStack, experiment: str, condition: str, stage: str) -> int:
    query = (
        "SELECT r.id FROM runs_stagerun r JOIN experiments_condition c ON c.id = r.condition_id"
        " JOIN experiments_stage s ON s.id = r.stage_id"
        " JOIN experiments_experiment e ON e.id = r.experiment_id"
        " WHERE e.name = %s AND c.name = %s AND s.name = %s"
    )
    return int(stack.rows(query, [experiment, condition, stage])[0][0])


def _growing_rollouts(page: Page) -> list[int]:
    """Four rising counts of rollouts, seen on a page that is never reloaded, with new rollouts on top."""
    page.evaluate("window.never_reloaded = true")
    counts: list[int] = []
    for _ in range(4):
        page.wait_for_function(
            "(before) => Number(document.querySelector('#rollout-count').textContent.replace(/\\D/g, '')) > before",
            arg=counts[-1] if counts else 0,
            timeout=60_000,
        )
        counts.append(int(re.sub(r"\D", "", page.locator("#rollout-count").inner_text())))
    assert page.locator("#rollouts tbody tr").count() > 0
    expect(page.locator("#charts .js-plotly-plot").first).to_be_attached()
    assert page.evaluate("window.never_reloaded")
    return counts


def _downloads_equal_the_database(stack: RunningStack, name: str, page: Page) -> None:
    expected = {
        (stage, condition): (correct, problems)
        for stage, condition, correct, problems in stack.rows(
            "SELECT s.name, c.name, count(*) FILTER (WHERE o.correct), count(*) FROM results_outcome o"
            " JOIN results_evaluation e ON e.id = o.evaluation_id JOIN runs_attempt a ON a.id = e.attempt_id"
            " JOIN runs_stagerun r ON r.id = a.stage_run_id JOIN experiments_stage s ON s.id = r.stage_id"
            " JOIN experiments_condition c ON c.id = r.condition_id"
            " JOIN experiments_experiment x ON x.id = r.experiment_id WHERE x.name = %s GROUP BY 1, 2",
            [name],
        )
    }
    assert set(expected) == {(stage, condition) for stage in STAGES for condition in CONDITIONS}
    table = list(csv.DictReader(io.StringIO(_download(page, "CSV"))))
    found = {(row["stage"], row["condition"]): (int(row["correct"]), int(row["problems"])) for row in table}
    assert found == expected
    for row in table:
        assert float(row["accuracy"]) == int(row["correct"]) / int(row["problems"])
    markdown = _download(page, "Markdown")
    for stage in STAGES:
        line = next(line for line in markdown.splitlines() if line.startswith(f"| {stage} |"))
        for condition in CONDITIONS:
            correct, problems = expected[stage, condition]
            assert f"{100 * correct / problems:.1f} % ({correct}/{problems})" in line
        shown = page.locator("#stage-table tbody tr", has_text=stage).inner_text()
        assert all(f"{c}/{n}" in shown for (s, _), (c, n) in expected.items() if s == stage)


def _download(page: Page, name: str) -> str:
    menu = page.locator("details.downloads", has=page.locator("summary", has_text="the stage table"))
    menu.locator("summary").click()
    with page.expect_download() as download:
        menu.get_by_role("link", name=name, exact=True).click()
    return Path(download.value.path()).read_text(encoding="utf-8")
