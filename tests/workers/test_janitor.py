"""The janitor announces what is ready and takes back what the dead held, and only that."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection
from django.db.models.functions import Now

from tests.factories import make_attempt, make_experiment, run_of
from training.process.journal import Journal
from training.process.start_times import start_time
from webapp.celery import ANNOUNCER, app
from webapp.runs.models import Attempt, StageRun, State, Worker
from webapp.runs.services import cancel
from webapp.telemetry.series import series
from workers import janitor
from workers.processes import Host
from workers.worker import end_with_thread

pytestmark = [pytest.mark.django_db, pytest.mark.services]

HERE = Host.this()


@pytest.fixture
def run(db: None) -> StageRun:
    return run_of(make_experiment(conditions=["baseline"]), "baseline", "pretrain")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    yield child
    child.kill()
    child.wait()


def make_worker(pid: int | None = None, *, alive: bool, slots: int = 2, host: Host = HERE) -> Worker:
    process = psutil.Process(pid)
    return Worker.objects.create(
        name=f"worker-{Worker.objects.count()}@{host.hostname}", hostname=host.hostname, boot_id=host.boot_id,
        pid=process.pid, process_started=(start_time(process.pid) or 0.0) - (0 if alive else 3600), queues=["default"],
        devices=[f"cpu:{i}" for i in range(slots)],
    )  # fmt: skip


def held(run: StageRun, worker: Worker, run_dir: Path, training: int | None = None) -> Attempt:
    return make_attempt(
        run, worker=worker, hostname=worker.hostname, boot_id=worker.boot_id, run_dir=str(run_dir), pid=training,
        process_started=start_time(training) if training else None,
    )  # fmt: skip


def state(run: StageRun) -> str:
    return StageRun.objects.get(pk=run.pk).state


def test_a_dead_worker_of_this_host_loses_its_run_at_once(
    run: StageRun, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    worker = make_worker(alive=False)
    attempt = held(run, worker, tmp_path, sleeper.pid)
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=0, pid=1)
    journal.metrics(7, {"loss": 0.5})
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == "ready"
    assert sleeper.wait(timeout=60) == -9
    assert series([run.pk])[run.pk, "loss"].steps.tolist() == [7]
    attempt.refresh_from_db()
    worker.refresh_from_db()
    assert (attempt.outcome, attempt.journal_seq) == ("lost", 2)
    assert worker.stopped_at is not None


def test_a_live_worker_keeps_its_run(run: StageRun, tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    held(run, make_worker(alive=True), tmp_path, sleeper.pid)
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == "running"
    assert sleeper.poll() is None


def test_another_host_is_judged_by_its_lease_alone(run: StageRun, tmp_path: Path) -> None:
    held(run, make_worker(alive=False, host=Host("elsewhere", "boot:1")), tmp_path)
    janitor.take_back_from_the_dead(HERE)
    janitor.take_back_expired()
    assert state(run) == "running"
    StageRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
    connection.cursor().execute("SELECT 1")
    uptime = "SELECT now() - pg_postmaster_start_time() > interval '1 minute'"
    with connection.cursor() as cursor:
        cursor.execute(uptime)
        settled = cursor.fetchone()[0]
    janitor.take_back_expired()
    assert state(run) == ("ready" if settled else "running")


def test_a_machine_that_was_booted_since_holds_nothing(run: StageRun, tmp_path: Path) -> None:
    worker = make_worker(alive=True, host=Host(HERE.hostname, "earlier-boot:1"))
    held(run, worker, tmp_path)
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == "running"  # it may be another machine of the same name
    Worker.objects.filter(pk=worker.pk).update(heartbeat_at=Now() - timedelta(minutes=1))
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == "ready"


@pytest.mark.parametrize(("status", "expected"), [("succeeded", State.SUCCEEDED), ("failed", State.FAILED)])
def test_a_stage_that_ended_after_its_worker_has_its_own_outcome(
    run: StageRun, tmp_path: Path, status: str, expected: State
) -> None:
    held(run, make_worker(alive=False), tmp_path)
    Journal(tmp_path / "journal").append("finished", status=status, reason="bad_setting", hint="no data")
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == expected


def test_a_cancelled_run_of_a_dead_worker_is_cancelled(run: StageRun, tmp_path: Path) -> None:
    held(run, make_worker(alive=False), tmp_path)
    cancel(run=run, by="ada")
    janitor.take_back_from_the_dead(HERE)
    assert state(run) == "cancelled"


def test_late_records_of_a_lost_attempt_are_kept(run: StageRun, tmp_path: Path) -> None:
    attempt = held(run, make_worker(alive=False), tmp_path)
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=0, pid=1)
    janitor.take_back_from_the_dead(HERE)
    journal.metrics(1, {"loss": 1.0})
    janitor.drain_late_journals(HERE)
    attempt.refresh_from_db()
    assert attempt.journal_seq == 2
    assert state(run) == "ready"


def test_ready_runs_are_announced_for_free_slots_only(run: StageRun, tmp_path: Path) -> None:
    make_experiment("more-1")  # two more roots
    assert janitor.announce_ready() == {}
    worker = make_worker(alive=True, slots=2)
    with app.connection_for_read() as broker:
        queue = broker.SimpleQueue("default")
        ANNOUNCER.finish(60)  # of other tests
        queue.clear()
        assert janitor.announce_ready() == {"default": 2}
        for _ in range(2):
            queue.get(timeout=60).ack()
        held(run, worker, tmp_path)
        assert janitor.announce_ready() == {"default": 1}
        StageRun.objects.filter(state="ready").update(not_before=Now() + timedelta(minutes=1))
        assert janitor.announce_ready() == {}
        StageRun.objects.filter(state="ready").update(not_before=None)
        Worker.objects.update(heartbeat_at=Now() - timedelta(minutes=1))
        assert janitor.announce_ready() == {}
        queue.clear()
        queue.close()


def test_a_silent_worker_counts_as_gone() -> None:
    silent, lively = make_worker(alive=True), make_worker(alive=True)
    Worker.objects.filter(pk=silent.pk).update(heartbeat_at=Now() - timedelta(minutes=6))
    janitor.mark_silent_workers()
    silent.refresh_from_db()
    lively.refresh_from_db()
    assert (silent.stopped_at, lively.stopped_at) == (silent.heartbeat_at, None)


def test_a_journal_that_cannot_be_read_keeps_no_other_run_back(
    run: StageRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dead = make_worker(alive=False)
    unreadable = held(run, dead, tmp_path / "first")
    (tmp_path / "first" / "journal").mkdir(parents=True)  # reading it is an OSError, as on a sick disk
    other = held(run_of(make_experiment("more-1"), "baseline", "pretrain"), dead, tmp_path / "second")
    janitor.take_back_from_the_dead(HERE)
    assert (state(run), state(other.stage_run)) == ("ready", "ready")
    assert f"the journal of attempt {unreadable.pk} cannot be read" in caplog.text
    janitor.drain_late_journals(HERE)  # a worker starts all the same


def test_a_fault_about_one_run_keeps_no_other_back(
    run: StageRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dead = make_worker(alive=False)
    first = held(run, dead, tmp_path)
    other = held(run_of(make_experiment("more-1"), "baseline", "pretrain"), dead, tmp_path)
    conclude = janitor.conclude

    def broken(**what: Any) -> State | None:
        if what["attempt"] == first.pk:
            raise ValueError("a fault of ours")
        return conclude(**what)

    monkeypatch.setattr(janitor, "conclude", broken)
    monkeypatch.setattr(janitor, "_faulty", {})
    for _ in range(2):
        janitor.take_back_from_the_dead(HERE)
    assert (state(run), state(other.stage_run)) == ("running", "ready")
    assert caplog.text.count("cannot be taken back") == 1  # and not every second


def test_a_fault_in_one_step_of_the_janitor_keeps_no_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    announced = threading.Event()

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(janitor, "take_back_from_the_dead", broken)
    monkeypatch.setattr(janitor.search, "index_texts", broken)
    monkeypatch.setattr(janitor, "look_after_everybody", announced.set)
    keeper = janitor.Janitor(Worker(hostname=HERE.hostname, boot_id=HERE.boot_id))
    monkeypatch.setattr(keeper, "_say_alive", lambda: None)
    keeper.start()
    assert announced.wait(60) and keeper.is_alive()
    keeper.stop()


def test_a_worker_ends_when_its_janitor_cannot_say_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("a fault of ours")

    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(threading, "excepthook", end_with_thread)
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    keeper = janitor.Janitor(Worker(hostname=HERE.hostname, boot_id=HERE.boot_id))
    monkeypatch.setattr(keeper, "_say_alive", broken)
    keeper.start()
    keeper.join(timeout=100)
    assert sent == [(os.getpid(), signal.SIGTERM)]
