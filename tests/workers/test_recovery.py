"""Real workers and real training, killed in the middle: the run goes on, and nothing is lost, doubled or left alive."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User

from tests.served import database_url
from training.process.journal import records
from training.process.start_times import start_time
from training.recipes import recipe as recipes
from webapp.launch.launch import launch
from webapp.runs.models import Attempt, Checkpoint, StageRun
from webapp.runs.services import cancel, retry
from webapp.telemetry.models import MetricChunk, Rollout
from webapp.telemetry.series import rollouts, series
from workers import devices, processes
from workers.batch import storable

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]

STEPS, PER_STEP = 60, 8  # enough seconds of GRPO, even on an idle machine, to be met in the middle four times
StartWorker = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start_worker(transactional_db: None, settings: object, tmp_path: Path) -> Iterator[StartWorker]:
    """Start a worker process with a home of its own on the test's database; none outlives the test."""
    settings.MULBERRY_HOME = tmp_path  # type: ignore[attr-defined]
    settings.MULBERRY_STORAGE = str(tmp_path / "storage")  # type: ignore[attr-defined]
    started: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "MULBERRY_HOME": str(tmp_path),
        "DATABASE_URL": database_url(),
        "OMP_NUM_THREADS": "1",
    }

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / f"worker-{len(started)}.log").open("wb") as log:
            command = [sys.executable, "-m", "workers", "--slots", str(devices.cores())]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    left: set[psutil.Process] = set()
    for worker in started:
        left |= processes.family(worker.pid, start_time(worker.pid))
        worker.terminate()
    for worker in started:
        worker.wait(timeout=30)
    assert gone(left), "the worker left processes behind"
    for log in sorted(tmp_path.glob("worker-*.log")):
        print(log.read_text(errors="replace"))


@pytest.fixture
def grpo(start_worker: StartWorker) -> StageRun:
    """A short experiment: a few steps of pre-training, then GRPO, which the tests interrupt."""
    recipe = recipes.read("smoke")
    stages = {stage["name"]: stage for stage in recipe["stages"]}
    grpo = {
        **stages["grpo"],
        "prompts": STEPS * PER_STEP // 8,
        "batch_size": PER_STEP,
        "save_every": 2,
        "log_every": 1,
    }
    short = {
        **recipe,
        "conditions": recipe["conditions"][:1],
        "benchmarks": [{**recipe["benchmarks"][0], "problems": 20}],
        "stages": [{**stages["pretrain"], "steps": 20}, grpo],
    }
    experiment = launch(recipe=recipes.build(short), owner=User.objects.create(username="ada"))
    return StageRun.objects.get(experiment=experiment, stage__name="grpo")


def wait_for(condition: Callable[[], object], seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def gone(family: set[psutil.Process], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while (alive := processes.living(family)) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive


def in_mid_grpo(run: StageRun, number: int) -> Attempt:
    """Wait until the attempt of this number has a checkpoint and has gone past it; its family lives."""

    def past_a_checkpoint() -> bool:
        attempt = Attempt.objects.filter(stage_run=run, number=number, ended_at=None).last()
        saved = Checkpoint.objects.filter(attempt=attempt).first() if attempt else None
        return saved is not None and StageRun.objects.get(pk=run.pk).progress_done > saved.step

    wait_for(past_a_checkpoint)
    return Attempt.objects.get(stage_run=run, number=number)


def turn_a_bit_of_what_comes_next(attempt: Attempt) -> None:
    """Wait until training has written some records that its worker, which stands still, has not read, and damage the second."""
    attempt.refresh_from_db()
    path = Path(attempt.run_dir) / "journal"
    wait_for(lambda: len(list(records(path, attempt.journal_offset))) >= 6)
    with path.open("r+b") as file:
        file.seek(next(records(path, attempt.journal_offset)).offset + 30)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 4]))


def last_recorded(attempt: Attempt) -> int:
    """The last step that is in the database of an attempt."""
    return max(MetricChunk.objects.filter(metric__attempt=attempt).values_list("last_step", flat=True))


def has_state(run: StageRun, state: str) -> Callable[[], bool]:
    return lambda: StageRun.objects.get(pk=run.pk).state == state


def assert_nothing_lost_or_doubled(run: StageRun) -> None:
    found = series([run.pk])
    for name in ("reward", "loss", "kl", "logprob_mismatch"):
        assert found[run.pk, name].steps.tolist() == list(range(1, STEPS + 1)), name
    counted = Counter(rollouts([run.pk]).values_list("step", flat=True))
    assert counted == dict.fromkeys(range(1, STEPS + 1), PER_STEP)
    journalled = sorted(
        (
            attempt.pk,
            record.seq,
            index,
            record.fields["step"],
            storable(row["completion"]),
            sorted(row["components"].items()),
        )
        for attempt in Attempt.objects.filter(stage_run=run)
        for record in records(Path(attempt.run_dir) / "journal")
        if record.type == "rollouts"
        and (attempt.journal_hole is None or record.offset <= attempt.journal_hole)
        for index, row in enumerate(record.fields["rows"])
    )
    columns = ("attempt", "seq", "index", "step", "completion", "components")
    stored = Rollout.objects.filter(attempt__stage_run=run).values_list(*columns)
    assert sorted((*row[:5], sorted(row[5].items())) for row in stored) == journalled


def test_whatever_ends_its_attempts_the_run_goes_on_and_finishes(
    grpo: StageRun, start_worker: StartWorker
) -> None:
    """Training killed, its worker killed, the run cancelled and retried, the worker told to end, a bit of the journal
    turned before it was read: one run, six attempts."""
    worker = start_worker()

    attempt = in_mid_grpo(grpo, 1)
    assert attempt.pid is not None
    family = processes.family(attempt.pid, attempt.process_started)
    os.kill(attempt.pid, signal.SIGKILL)
    attempt = in_mid_grpo(grpo, 2)
    assert gone(family)
    assert worker.poll() is None

    family = processes.family(worker.pid, start_time(worker.pid))
    assert {attempt.pid} < {process.pid for process in family}
    worker.kill()
    worker.wait()
    assert gone(family)
    worker = start_worker()

    attempt = in_mid_grpo(grpo, 3)
    assert attempt.pid is not None
    family = processes.family(attempt.pid, attempt.process_started)
    recorded = Rollout.objects.filter(attempt=attempt).count()
    cancel(run=grpo, by="ada")
    wait_for(lambda: not processes.living(family))
    wait_for(has_state(grpo, "cancelled"))
    assert Rollout.objects.filter(attempt=attempt).count() >= recorded > 0
    retry(run=grpo, by="ada")

    in_mid_grpo(grpo, 4)
    family = processes.family(worker.pid, start_time(worker.pid))
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert gone(family)
    assert has_state(grpo, "ready")()
    worker = start_worker()

    attempt = in_mid_grpo(grpo, 5)
    worker.send_signal(signal.SIGSTOP)
    turn_a_bit_of_what_comes_next(attempt)
    worker.send_signal(signal.SIGCONT)

    wait_for(has_state(grpo, "succeeded"))
    attempts = Attempt.objects.filter(stage_run=grpo).order_by("number").values_list("outcome", "first_step")
    outcomes, first_steps = zip(*attempts, strict=True)
    assert outcomes == ("failed", "lost", "cancelled", "stopped", "failed", "succeeded")
    assert first_steps[:5] == tuple(sorted(first_steps[:5])) and 0 == first_steps[0] < first_steps[1]
    damaged = Attempt.objects.get(stage_run=grpo, number=5)
    assert "cannot be read at byte" in damaged.error
    assert first_steps[5] <= last_recorded(damaged), "it goes on from a checkpoint before the hole"
    assert_nothing_lost_or_doubled(grpo)
    assert worker.poll() is None
