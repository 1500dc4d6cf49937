"""`mulberry demo`: from nothing to a table and a report, in one command."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack import RunningStack

SHORT = [
    "stages.pretrain.steps=4",
    "stages.instruct.examples=64",
    *(f"stages.curriculum.steps.{step}.examples=64" for step in ("drills", "word_problems", "mixed")),
    "stages.grpo.prompts=16",
    "benchmarks.one_step_multiplication.problems=10",
]


@pytest.mark.timeout(400)
def test_demo_once_ends_with_table_and_report(new_stack: Callable[[], RunningStack]) -> None:
    stack = new_stack()
    arguments = [word for change in SHORT for word in ("--set", change)]
    done = stack.mulberry(
        "demo", "--once", "--recipe", "smoke", "--port", str(stack.port), *arguments, timeout=380
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"dashboard: {stack.address}/" in done.stdout
    assert f"{stack.address}/sign-in/" in done.stdout
    assert "baseline seed 0 grpo succeeded" in done.stdout
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    first, *_, last = [line.split("|")[1].strip() for line in table]
    assert (first, last) == ("Stage", "grpo")
    reports = [Path(line.split(": ")[1]) for line in done.stdout.splitlines() if line.startswith("report: ")]
    assert [path.suffix for path in reports] == [".md", ".html"]
    assert all("grpo" in path.read_text() for path in reports)
    assert stack.processes() == []
