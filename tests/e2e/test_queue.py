"""The queue and the workers in a real browser: pause, reorder, drain, on a real stack and over recorded rows."""

import json
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests import factories
from tests.stack import RunningStack

STATES = "SELECT e.name, r.state, count(*) FROM runs_stagerun r JOIN experiments_experiment e ON e.id = r.experiment_id GROUP BY 1, 2"


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.2)


def started(stack: RunningStack) -> list[str]:
    """Names of experiments in the order in which their first attempts began."""
    query = (
        "SELECT e.name FROM runs_attempt a JOIN runs_stagerun r ON r.id = a.stage_run_id"
        " JOIN experiments_experiment e ON e.id = r.experiment_id ORDER BY a.id"
    )
    return list(dict.fromkeys(name for (name,) in stack.rows(query)))


def wait_for_an_announcement(stack: RunningStack, page: Page) -> None:
    """Return when a whole round of the janitor is over, which marks silent workers, then announces what is ready.

    The page of workers is left meanwhile: the silent ones that are made for this come and go on it above what is clicked.
    """
    page.goto("about:blank")
    silent = (
        "INSERT INTO runs_worker (name, hostname, boot_id, pid, process_started, queues, devices, version, drained_by,"
        " out_of_service_why, gpus, usage, heartbeat_at) VALUES (%s, 'elsewhere', '', 1, 0, '[]', '[]', '', '', '', '[]', '{}',"
        " now() - interval '1 day') RETURNING id"
    )
    marked = "SELECT id FROM runs_worker WHERE name = %s AND stopped_at IS NOT NULL"
    for number in range(2):  # the first round may have been half over when its worker came
        stack.rows(silent, [f"silent-{number}"])
        wait_for(lambda number=number: stack.rows(marked, [f"silent-{number}"]) != [])
    stack.rows("DELETE FROM runs_worker WHERE hostname = 'elsewhere' RETURNING id")
    page.goto(f"{stack.address}/workers/")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pause_launch_reorder_resume_drain(new_stack: Callable[..., RunningStack], page: Page) -> None:
    stack = new_stack({"MULBERRY_SLOTS": "1"})
    stack.start()
    page.goto(stack.sign_in_link())
    page.wait_for_url(f"{stack.address}/")
    page.goto(f"{stack.address}/workers/")
    # the dashboard may be there before the worker
    wait_for(lambda: stack.rows("SELECT id FROM runs_worker") != [])
    ((number,),) = stack.rows("SELECT id FROM runs_worker")
    worker = page.locator(f"#worker-{number}")
    expect(worker).to_have_attribute("data-state", "idle")
    page.get_by_role("button", name="Pause the queue").click()
    expect(page.locator(".queue .note")).to_contain_text("Paused by operator")

    for _ in range(2):
        done = stack.mulberry("launch", "smoke", "--no-reuse")
        assert done.returncode == 0, done.stderr
    line = page.locator(".line tbody th a")
    expect(line).to_have_text(["smoke-1", "smoke-2"])  # it came without a reload
    wait_for_an_announcement(stack, page)
    assert started(stack) == []
    page.get_by_role("button", name="Move smoke-2 to the front").click()
    expect(line).to_have_text(["smoke-2", "smoke-1"])
    shown = json.loads(stack.mulberry("queue", "--json").stdout)
    assert [one["name"] for one in shown[0]["experiments"]] == ["smoke-2", "smoke-1"]
    assert shown[0]["paused_by"] == "operator"

    page.get_by_role("button", name="Resume the queue").click()
    expect(worker).to_have_attribute("data-state", "busy")
    assert started(stack) == ["smoke-2"]
    expect(worker.locator(".task")).to_contain_text("of smoke-2")
    expect(worker.locator("td").nth(2)).to_contain_text("%")  # CPU, from its report

    worker.get_by_role("button", name="Drain").click()
    expect(worker).to_have_attribute("data-state", "draining")
    done = stack.mulberry("cancel", "smoke-2")
    assert done.returncode == 0, done.stderr
    expect(worker).to_have_attribute("data-state", "drained")
    wait_for_an_announcement(stack, page)
    assert started(stack) == ["smoke-2"], "smoke-1 is ready, but nobody takes it"
    worker.get_by_role("link").first.click()
    expect(page.locator(".worker-log")).to_contain_text("takes runs from default on")
    expect(page.locator(".events")).to_contain_text("drained worker-")
    page.get_by_role("button", name="take runs again").click()
    wait_for(lambda: started(stack) == ["smoke-2", "smoke-1"])
    assert stack.mulberry("queue", "--pause", "default").returncode == 0
    assert stack.mulberry("cancel", "smoke-1").returncode == 0
    wait_for(lambda: {state for _, state, _ in stack.rows(STATES)} == {"cancelled"})
    again = stack.mulberry("queue", "--pause", "default")
    assert (again.returncode, "paused already" in again.stderr) == (1, True)
    page.goto("about:blank")
    assert stack.stop() == 0, stack.said()
    assert stack.processes() == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_page_follows_workers_without_a_reload(page: Page, address: str) -> None:
    page.goto(f"{address}/workers/")
    expect(page.get_by_text("No worker runs.")).to_be_visible()
    page.evaluate("window.never_reloaded = true")
    worker = factories.make_worker("cuda:0")
    row = page.locator(f"#worker-{worker.pk}")
    expect(row).to_have_attribute("data-state", "idle")
    run = factories.make_run("grpo")
    run.attempts.update(worker=worker, device="cuda:0")
    expect(row).to_have_attribute("data-state", "busy")
    expect(row).to_contain_text("97 % used")
    assert page.evaluate("window.never_reloaded")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_an_experiment_is_moved_by_keyboard(page: Page, address: str) -> None:
    for name in ("a-1", "b-1"):
        factories.make_experiment(name)
    page.goto(f"{address}/workers/")
    expect(page.get_by_role("button", name="Move a-1 up")).to_be_disabled()
    page.get_by_role("button", name="Move b-1 up").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".line tbody th a")).to_have_text(["b-1", "a-1"])
    assert page.url.endswith("/workers/#line-b-1")
    expect(page.get_by_role("status").first).to_contain_text("b-1 is moved up")
