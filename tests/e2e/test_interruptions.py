"""A run in mid-GRPO meets a person: cancelled from its page, and carried over an end of `mulberry up`.

The shared stack ends here, and is started again: nothing else of it is at work when this module's turn comes.
"""

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.stack import RunningStack
from workers import processes

PER_STEP, STEPS = 16, 60
# the smoke recipe with as little as possible before GRPO, and GRPO long enough to be met in the middle
SHORT = (
    "stages.pretrain.steps=10",
    "stages.instruct.examples=64",
    "stages.curriculum.steps.0.examples=32",
    "stages.curriculum.steps.1.examples=32",
    "stages.curriculum.steps.2.examples=32",
    f"stages.grpo.batch_size={PER_STEP}",
    f"stages.grpo.prompts={STEPS * PER_STEP // 8}",
    "stages.grpo.save_every=4",
    "benchmarks.one_step_multiplication.problems=20",
    "conditions=[{name: baseline}]",
)
GRPO = (
    "SELECT r.id, r.state FROM runs_stagerun r JOIN experiments_stage s ON s.id = r.stage_id"
    " JOIN experiments_experiment e ON e.id = r.experiment_id WHERE s.name = 'grpo' AND e.name = %s"
)


def _launch(stack: RunningStack) -> str:
    """Launch the short experiment; its name."""
    changes = [word for change in SHORT for word in ("--set", change)]
    launched = stack.mulberry("launch", "smoke", *changes, "--json")
    assert launched.returncode == 0, launched.stderr
    return str(json.loads(launched.stdout)["name"])


def _until(condition: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)


def _rollouts(stack: RunningStack, run: int) -> int:
    query = "SELECT count(*) FROM telemetry_rollout t JOIN runs_attempt a ON a.id = t.attempt_id"
    return int(stack.rows(f"{query} WHERE a.stage_run_id = %s", [run])[0][0])


def _in_the_middle(stack: RunningStack, experiment: str) -> int:
    """Wait until a GRPO run of an experiment has gone past its first checkpoint; its id."""
    past = (
        "SELECT r.id FROM runs_stagerun r JOIN runs_attempt a ON a.stage_run_id = r.id"
        " JOIN runs_checkpoint c ON c.attempt_id = a.id JOIN experiments_experiment e ON e.id = r.experiment_id"
        " WHERE e.name = %s AND r.state = 'running'"
        f" AND r.spec #>> '{{settings,kind}}' = 'grpo' AND r.progress_done BETWEEN c.step + 1 AND {STEPS - 10}"
    )
    found: list[tuple[int]] = []

    def look() -> bool:
        found[:] = stack.rows(past, [experiment])
        return bool(found)

    _until(look, "GRPO past a checkpoint", 600)
    return found[0][0]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cancel_from_the_page_leaves_nothing_alive_and_what_was_recorded(
    stack: RunningStack, signed_in: Page
) -> None:
    name = _launch(stack)
    run = _in_the_middle(stack, name)
    page = signed_in
    page.goto(f"{stack.address}/runs/{run}/")
    pid, started = stack.rows("SELECT pid, process_started FROM runs_attempt WHERE stage_run_id = %s", [run])[
        0
    ]
    family = processes.family(pid, started)
    assert family
    recorded = _rollouts(stack, run)
    page.get_by_role("button", name="Cancel", exact=True).click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("Retry goes on from the newest checkpoint")
    asked.get_by_role("button", name="Keep running").click()
    expect(asked).to_be_hidden()
    assert processes.living(family), "no was no"
    page.get_by_role("button", name="Cancel", exact=True).click()
    asked.get_by_role("button", name="Cancel 1 run").click()
    left = psutil.wait_procs(family, timeout=10)[1]
    assert processes.living(set(left)) == set()
    expect(page.locator("dl[data-state]")).to_have_attribute("data-state", "cancelled")
    assert _rollouts(stack, run) >= recorded > 0
    expect(page.locator("#rollouts tbody tr").first).to_be_visible()
    stack.mulberry("cancel", name)


@pytest.mark.slow
@pytest.mark.timeout(1100)
def test_the_end_of_up_is_a_pause_for_its_runs_and_leaves_nothing(stack: RunningStack) -> None:
    name = _launch(stack)
    run = _in_the_middle(stack, name)
    sockets = Path(stack.database_url().rpartition("?host=")[2])
    assert sockets.exists()
    assert len(stack.processes()) >= 6  # three children and their guards
    assert stack.stop() == 0
    assert stack.processes() == []
    assert not sockets.exists()
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", stack.port)) != 0

    stack.start()
    assert stack.rows("SELECT username, password LIKE '!%%' FROM auth_user") == [("operator", True)]
    assert dict(stack.rows(GRPO, [name]))[run] in ("ready", "running")
    assert stack.wait_for_runs(name, 400).keys() == {"succeeded"}
    attempts = stack.rows(
        "SELECT outcome, first_step FROM runs_attempt WHERE stage_run_id = %s ORDER BY number", [run]
    )
    assert [outcome for outcome, _ in attempts] == ["stopped", "succeeded"]
    assert 0 < attempts[1][1] < STEPS
    said = stack.mulberry("status", name, "--json").stdout
    assert not re.search(r'"state": "(?!succeeded)', said), said
    counted = stack.rows(
        "SELECT t.step, count(*) FROM telemetry_rollout t JOIN runs_attempt a ON a.id = t.attempt_id"
        " WHERE a.stage_run_id = %s AND t.step > CASE a.number WHEN 1 THEN 0 ELSE a.first_step END"
        " AND (a.number > 1 OR t.step <= %s) GROUP BY 1 ORDER BY 1",
        [run, attempts[1][1]],
    )
    assert counted == [(step, PER_STEP) for step in range(1, STEPS + 1)]
