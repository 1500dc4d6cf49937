"""A machine whose disk is full, read-only or broken fails no run: its worker takes none until it is well, and others go on."""

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection

from tests.workers import scripts
from training.process import disk
from training.recipes import recipe as recipes
from webapp.launch.launch import launch
from webapp.runs.models import Attempt, StageRun, State, Worker
from webapp.runs.querysets import willing_workers
from workers import fitness as module, tasks
from workers.claim import next_run
from workers.devices import Device, Slots
from workers.fitness import Fitness, problem
from workers.launcher import DirectLauncher
from workers.supervision import Supervision

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

DEVICE = Device("cpu:0", "cpu", 1)
Join = Callable[..., tasks.WorkerProcess]


@pytest.fixture
def runs(transactional_db: None, settings: LazySettings, tmp_path: Path) -> list[StageRun]:
    """Three runs that are ready."""
    settings.MULBERRY_HOME = tmp_path
    settings.MULBERRY_STORAGE = str(tmp_path / "storage")
    recipe = recipes.build({**recipes.read("smoke"), "seeds": [0, 1, 2]})
    recipe = recipe.model_copy(update={"conditions": recipe.conditions[:1], "stages": recipe.stages[:1]})
    launch(recipe=recipe, owner=User.objects.create(username="ada"))
    return list(StageRun.objects.filter(state=State.READY))


@pytest.fixture
def join() -> Iterator[Join]:
    """Make this process a worker whose runs lie in a folder."""
    started: list[Fitness] = []

    def make(folder: Path, script: str = scripts.SUCCEED) -> tasks.WorkerProcess:
        row = Worker.objects.create(
            name=f"w{len(started)}@h", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"],
            devices=["cpu:0"],
        )  # fmt: skip
        found = Fitness(row, [folder])
        started.append(found)
        launcher = DirectLauncher("-c", script)
        return tasks.become(tasks.WorkerProcess(row, Slots([DEVICE]), launcher, found, threading.Event()))

    yield make
    tasks._here.clear()


def a_file(tmp_path: Path) -> Path:
    """A home that nobody can write to, root included: it is a file."""
    (tmp_path / "home").write_text("")
    return tmp_path / "home" / "runs"


def test_a_sick_worker_fails_no_run_beside_a_healthy_one(
    runs: list[StageRun], join: Join, tmp_path: Path
) -> None:
    sick = join(a_file(tmp_path))
    tasks.run_next("default")
    assert not Attempt.objects.exists(), "it has not even taken one"
    sick.fitness.store()
    sick.row.refresh_from_db()
    assert sick.row.out_of_service_at is not None and "cannot be written to" in sick.row.out_of_service_why
    assert sick.row not in willing_workers()
    assert next_run("default", sick.row, DEVICE) is None, "whoever asks"
    join(tmp_path)
    tasks.run_next("default")
    assert set(Attempt.objects.values_list("outcome", flat=True)) == {"succeeded"}
    assert {StageRun.objects.get(pk=run.pk).state for run in runs} == {"succeeded"}


def test_a_home_that_goes_after_the_claim_gives_the_run_back(
    runs: list[StageRun], join: Join, settings: LazySettings, tmp_path: Path
) -> None:
    worker = join(tmp_path)
    claim = next_run("default", worker.row, DEVICE)
    assert claim is not None
    settings.MULBERRY_HOME = a_file(tmp_path)
    worker.fitness.folders = [settings.MULBERRY_HOME]
    supervision = Supervision(claim, DEVICE, worker.launcher, worker.stopping, worker.fitness)
    assert supervision.run() == State.READY
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.run_dir) == ("returned", "") and "cannot be written to" in attempt.error
    assert worker.fitness.why == attempt.error
    run = StageRun.objects.get(pk=claim.run)
    assert (run.error, run.not_before is not None) == ("", True)


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (scripts.REFUSE, "returned"),
        (scripts.CRASH, "returned"),
        (scripts.SUCCEED, "succeeded"),
    ],
    ids=["an error", "no last word", "a result"],
)
def test_a_run_that_ends_while_the_disk_is_full_counts_no_failure(
    runs: list[StageRun],
    join: Join,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    outcome: str,
) -> None:
    worker = join(tmp_path, script)
    claim = next_run("default", worker.row, DEVICE)
    assert claim is not None
    supervision = Supervision(claim, DEVICE, worker.launcher, worker.stopping, worker.fitness)
    monkeypatch.setenv("MULBERRY_DISK_RESERVE", str(10**18))
    assert supervision.run() == (State.SUCCEEDED if outcome == "succeeded" else State.READY)
    attempt = Attempt.objects.get()
    assert attempt.outcome == outcome
    if outcome == "returned":
        assert attempt.error.startswith(f"the disk under {tmp_path} is full: ")
        assert not worker.fitness.ready()
        monkeypatch.delenv("MULBERRY_DISK_RESERVE")
        worker.fitness.test_again()
        assert worker.fitness.ready(), "it goes on by itself"


def test_it_is_tested_until_it_is_well_and_says_so_in_the_database(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.01,))
    row = Worker.objects.create(name="w", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"])  # fmt: skip
    found = Fitness(row, [tmp_path])
    stored = threading.Event()
    store = found.store

    def store_and_tell() -> None:
        store()
        stored.set()

    monkeypatch.setattr(found, "store", store_and_tell)
    monkeypatch.setattr(module, "problem", lambda folder: "it is broken")
    assert not found.ready()
    found.start()
    try:
        assert stored.wait(30)
        row.refresh_from_db()
        assert row.out_of_service_why == "it is broken" and row.out_of_service_at is not None
        monkeypatch.undo()
        back = threading.Event()
        monkeypatch.setattr(module, "PAUSES", (0.01,))
        monkeypatch.setattr(found, "store", lambda: (store(), back.set() if not found.why else None))
        assert back.wait(30)
    finally:
        found.stop()
    row.refresh_from_db()
    assert (row.out_of_service_at, row.out_of_service_why) == (None, "")


def test_what_keeps_a_folder_from_being_written_to_is_one_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problem(tmp_path / "made" / "when it is needed") == ""
    assert list((tmp_path / "made" / "when it is needed").iterdir()) == [], "the test leaves nothing"
    assert problem(a_file(tmp_path)) == f"{a_file(tmp_path)} cannot be written to: Not a directory"
    monkeypatch.setenv("MULBERRY_DISK_RESERVE", str(10**18))
    assert "are kept in reserve; free some space" in problem(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system"),
        RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 203584 vs 203476"),
        RuntimeError("basic_ios::clear: iostream error"),
        ValueError(
            "SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)"
        ),
    ],
)
def test_a_full_disk_is_known_by_whatever_libraries_make_of_it(error: Exception) -> None:
    assert disk.is_host_fault(error)
    try:
        try:
            raise error
        except Exception as cause:
            raise KeyError("later") from cause
    except KeyError as later:
        assert disk.is_host_fault(later)
    assert not disk.is_host_fault(ValueError("there is no GSM8K here"))
    assert not disk.is_host_fault(FileNotFoundError(errno.ENOENT, "no such file"))


def test_a_database_that_may_only_be_read_is_waited_for(
    runs: list[StageRun], join: Join, tmp_path: Path
) -> None:
    worker = join(tmp_path)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        tasks.run_next("default")  # as one that is out of reach: it returns, and nothing ends
    finally:
        connection.close()
    assert worker.fitness.why == "" and not Attempt.objects.exists()
    tasks.run_next("default")
    assert Attempt.objects.count() == len(runs)
