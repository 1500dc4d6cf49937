"""Progress in a terminal."""

import pytest
from django.db import connection

from webapp import settings
from webapp.experiments.models import Condition, Stage
from webapp.runs.models import StageRun, State
from workers.cli.commands import database
from workers.cli.commands.progress import bars


def run(condition: str, stage: str, state: State, done: int = 0, total: int = 0, error: str = "") -> StageRun:
    return StageRun(
        condition=Condition(name=condition),
        stage=Stage(name=stage),
        seed=0,
        state=state,
        progress_done=done,
        progress_total=total,
        progress_unit="steps",
        progress_phase="train",
        error=error,
    )


def test_a_bar_counts_stages_and_the_running_one_in_part() -> None:
    (line,) = bars(
        [run("baseline", "pretrain", State.SUCCEEDED), run("baseline", "grpo", State.RUNNING, 15, 30)]
    )
    assert line.startswith("baseline  seed 0  ")
    assert line.count("█") == 21  # 28 × (1 + ½) / 2
    assert " 75%  grpo train 15/30 steps" in line


def test_preparing_data_is_no_part_of_the_bar() -> None:
    preparing = run("baseline", "pretrain", State.RUNNING, 300, 400)
    preparing.progress_phase, preparing.progress_unit = "preparing data", "tokens"
    (line,) = bars([preparing])
    assert "█" not in line
    assert line.endswith("  0%  pretrain preparing data 300/400 tokens")


def test_a_failure_is_what_the_line_says() -> None:
    first, second = bars(
        [
            run("baseline", "pretrain", State.FAILED, 3, 30, "out of memory; take a smaller batch_size"),
            run("baseline", "grpo", State.CANCELLED),
            run("mul_tokens", "pretrain", State.READY),
            run("mul_tokens", "grpo", State.WAITING),
        ]
    )
    assert "pretrain failed: out of memory; take a smaller batch_size" in first
    assert "  0%  pretrain queued" in second
    assert first.index("seed") == second.index("seed")


def test_all_done_says_so() -> None:
    (line,) = bars([run("a", "pretrain", State.SUCCEEDED), run("a", "grpo", State.SUCCEEDED)])
    assert line.endswith("100%  done")


def test_a_database_that_started_again_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = connection.settings_dict
    for name in settings.database("postgresql://ada@/lab"):
        monkeypatch.setitem(found, name, found[name])  # as they were, afterwards
    monkeypatch.setattr(settings, "database_url", lambda: "postgresql://ada@/lab?host=/tmp/elsewhere")
    database.find_again()
    assert (found["HOST"], found["NAME"], found["USER"]) == ("/tmp/elsewhere", "lab", "ada")
