"""One claimed run, supervised to its end: outcomes, cancellation, shutdown, a lost claim, a lost database."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F

from tests.workers import scripts
from training.process.journal import Journal
from training.process.start_times import start_time
from training.recipes import recipe as recipes
from training.recipes.recipe import RunSpec
from webapp.launch.launch import launch
from webapp.runs.models import Attempt, Checkpoint, StageRun, State, Worker, new_key
from webapp.runs.services import cancel, retry
from webapp.telemetry.series import series
from workers import processes, supervision as module
from workers.claim import Claim, next_run
from workers.devices import Device
from workers.janitor import take_back_expired, take_back_from_the_dead
from workers.launcher import DirectLauncher, WarmLauncher
from workers.processes import Host
from workers.supervision import Supervision

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

HERE = Host.this()
# before the stand-in for training: its wall clock is another one, too
CLOCK_SET = "import time as _t; _really = _t.time; _t.time = lambda: _really() + {}\n"
DEVICE = Device("cpu:0", "cpu", 1)
PATIENCE = 100  # seconds: what should happen does so much sooner on an idle machine


@dataclass
class Place:
    """A worker's row, a claim on its run, and the settings of a home of its own."""

    worker: Worker
    run: StageRun
    stopping: threading.Event

    def claim(self) -> Claim:
        claim = next_run("default", self.worker, DEVICE)
        assert claim is not None
        return claim

    def supervise(self, script: str, claim: Claim | None = None) -> Supervision:
        return Supervision(claim or self.claim(), DEVICE, DirectLauncher("-c", script), self.stopping)

    def state(self) -> str:
        return StageRun.objects.get(pk=self.run.pk).state


@pytest.fixture
def place(transactional_db: None, settings: object, tmp_path: Path) -> Iterator[Place]:
    settings.MULBERRY_HOME = tmp_path  # type: ignore[attr-defined]
    settings.MULBERRY_STORAGE = str(tmp_path / "storage")  # type: ignore[attr-defined]
    recipe = recipes.build(recipes.read("demo"))
    recipe = recipe.model_copy(update={"conditions": recipe.conditions[:1]})
    experiment = launch(recipe=recipe, owner=User.objects.create(username="ada"))
    worker = Worker.objects.create(
        name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"]
    )
    yield Place(worker, StageRun.objects.get(experiment=experiment, parent=None), threading.Event())


@pytest.fixture
def in_thread() -> Iterator[Callable[[Supervision], threading.Thread]]:
    """Start a supervision in a thread; what it started does not outlive the test."""
    started: list[tuple[Supervision, threading.Thread]] = []

    def start(supervision: Supervision) -> threading.Thread:
        def run() -> None:
            supervision.run()
            connection.close()

        thread = threading.Thread(target=run)
        thread.start()
        started.append((supervision, thread))
        return thread

    yield start
    for supervision, thread in started:
        supervision.stopping.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def test_success_brings_everything_in_and_opens_the_next_stage(place: Place) -> None:
    assert place.supervise(scripts.SUCCEED).run() == State.SUCCEEDED
    assert series([place.run.pk])[place.run.pk, "loss"].steps.tolist() == list(range(1, 21))
    assert list(StageRun.objects.filter(parent=place.run).values_list("state", flat=True)) == ["ready"]
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.first_step) == ("succeeded", 0)
    assert attempt.ended_at is not None
    assert attempt.pid is not None


def test_the_run_directory_holds_a_spec_that_training_reads(place: Place) -> None:
    supervision = place.supervise(scripts.SUCCEED)
    supervision.run()
    spec = RunSpec.model_validate_json((supervision.run_dir / "spec.json").read_text())
    assert spec.spec.stage == "pretrain"
    assert (spec.attempt, spec.device, spec.parent_checkpoint) == (1, "cpu", None)
    assert Path(spec.checkpoints).is_absolute()
    assert float((supervision.run_dir / "deadline").read_text()) > time.monotonic()
    Checkpoint.objects.create(
        attempt=Attempt.objects.get(),
        seq=99,
        step=1,
        path="/final/of/parent",
        final=True,
        saved_at=place.run.created_at,
    )
    child = place.supervise(scripts.SUCCEED)
    child.run()
    spec = RunSpec.model_validate_json((child.run_dir / "spec.json").read_text())
    assert (spec.spec.stage, spec.parent_checkpoint) == ("instruct", "/final/of/parent")


def test_a_stage_gets_the_key_that_its_settings_name_and_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULBERRY_KEY_OURS", "sk-ours")
    monkeypatch.setenv("MULBERRY_KEY_OTHER", "sk-other")
    change = ("stages.distill.teacher.endpoint.key_variable", "MULBERRY_KEY_OURS")
    specs = recipes.resolve(recipes.build(recipes.read("hypothesis_c_distillation"), [change]))
    place.run.spec = next(s for s in specs if s.stage == "distill").model_dump(mode="json")
    place.run.save(update_fields=["spec"])
    supervision = place.supervise(scripts.TELL_ENVIRONMENT)
    assert supervision.run() == State.SUCCEEDED
    environment = json.loads((supervision.run_dir / "environment").read_text())
    keys = {name: value for name, value in environment.items() if name.startswith("MULBERRY_KEY_")}
    assert keys == {"MULBERRY_KEY_OURS": "sk-ours"}
    assert "sk-ours" not in (supervision.run_dir / "spec.json").read_text()


def test_a_bad_setting_fails_at_once_with_its_hint(place: Place) -> None:
    assert place.supervise(scripts.REFUSE).run() == State.FAILED
    place.run.refresh_from_db()
    assert place.run.error == "there is no GSM8K here; set MULBERRY_DATA"


def test_crashes_are_tried_three_times(place: Place) -> None:
    for expected in (State.READY, State.READY, State.FAILED):
        StageRun.objects.filter(pk=place.run.pk).update(not_before=None)
        assert place.supervise(scripts.CRASH).run() == expected
    place.run.refresh_from_db()
    assert "signal 6" in place.run.error
    assert "the disk is on fire" in place.run.error
    retry(run=place.run, by="ada")
    assert place.supervise(scripts.SUCCEED).run() == State.SUCCEEDED


@pytest.mark.slow
def test_cancelling_ends_every_descendant_and_keeps_what_was_recorded(
    place: Place, in_thread: Callable[[Supervision], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.5)
    supervision = place.supervise(scripts.STUBBORN)
    thread = in_thread(supervision)
    wait_for(lambda: (supervision.run_dir / "child").exists() and Attempt.objects.get().pid)
    child = psutil.Process(int((supervision.run_dir / "child").read_text()))
    leader = psutil.Process(Attempt.objects.get().pid)
    cancel(run=place.run, by="ada")
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not [p for p in (child, leader) if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert place.state() == "cancelled"
    assert series([place.run.pk])[place.run.pk, "loss"].values.tolist() == [1.0]


def test_shutting_down_stops_at_a_checkpoint_and_gives_the_run_back(
    place: Place, in_thread: Callable[[Supervision], threading.Thread]
) -> None:
    thread = in_thread(place.supervise(scripts.UNTIL_TOLD))
    wait_for(lambda: series([place.run.pk]))
    place.stopping.set()
    thread.join(PATIENCE)
    assert place.state() == "ready"
    assert Attempt.objects.get().outcome == "stopped"
    assert Checkpoint.objects.count() == 1


def test_a_lost_claim_ends_training_and_writes_nothing_about_the_run(
    place: Place, in_thread: Callable[[Supervision], threading.Thread]
) -> None:
    thread = in_thread(place.supervise(scripts.UNTIL_TOLD))
    wait_for(lambda: series([place.run.pk]))
    leader = psutil.Process(Attempt.objects.get().pid)
    StageRun.objects.filter(pk=place.run.pk).update(attempt_number=F("attempt_number") + 1)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert not leader.is_running() or leader.status() == psutil.STATUS_ZOMBIE
    assert place.state() == "running"


def test_a_record_that_cannot_be_stored_fails_the_run_and_ends_training(place: Place) -> None:
    assert place.supervise(scripts.UNFIT).run() == State.FAILED
    place.run.refresh_from_db()
    assert "cannot be stored" in place.run.error


def test_files_of_another_run_are_not_taken_for_its_own(place: Place, tmp_path: Path) -> None:
    StageRun.objects.filter(pk=place.run.pk).update(key="")  # of a home that is older than keys
    stray = tmp_path / "storage" / str(place.run.pk) / "step-00000050"
    stray.mkdir(parents=True)
    assert place.supervise(scripts.SUCCEED).run() == State.FAILED
    place.run.refresh_from_db()
    assert "move it away" in place.run.error
    assert stray.exists()
    assert not series([place.run.pk]), "what was refused is not brought in"


def test_a_number_that_is_given_again_adopts_nothing(place: Place) -> None:
    assert place.supervise(scripts.SUCCEED).run() == State.SUCCEEDED
    before = Attempt.objects.get()
    Attempt.objects.all().delete()  # an older dump is restored, and another run gets the number
    key = new_key()
    StageRun.objects.filter(pk=place.run.pk).update(state=State.READY, attempt_number=0, key=key)
    supervision = place.supervise(scripts.REFUSE)
    assert str(supervision.run_dir) != before.run_dir and key[:12] in str(supervision.storage)
    assert supervision.run() == State.FAILED
    assert not series([place.run.pk]), "the journal of the other run is not brought in"
    told = json.loads((supervision.run_dir / "spec.json").read_text())
    assert (told["key"], told["recorded"]) == (key, [])


@pytest.mark.parametrize("number", [1, 2])
def test_a_folder_that_bears_another_runs_key_is_refused_at_every_attempt(place: Place, number: int) -> None:
    StageRun.objects.filter(pk=place.run.pk).update(attempt_number=number - 1)
    supervision = place.supervise(scripts.SUCCEED)
    for folder in (supervision.run_dir, supervision.storage):
        folder.mkdir(parents=True)
    (supervision.storage / "run.key").write_text("another's")
    Journal(supervision.run_dir / "journal").metrics(1, {"loss": 1.0})
    assert supervision.run() == State.FAILED
    assert not series([place.run.pk])
    assert Attempt.objects.get().run_dir == ""


@pytest.mark.slow
def test_training_goes_on_while_the_database_is_out_of_reach(
    place: Place, in_thread: Callable[[Supervision], threading.Thread], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.5)
    with connection.cursor() as cursor:  # this thread's, and those that threads of other tests keep
        cursor.execute("SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()")
        ((kept,),) = cursor.fetchall()
    supervision = place.supervise(scripts.UNTIL_TOLD)
    thread = in_thread(supervision)
    wait_for(lambda: series([place.run.pk]))
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}
    name = parameters["dbname"]

    def admit(yes: bool) -> None:
        with psycopg.connect(**parameters | {"dbname": "postgres"}, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}')
            if not yes:
                others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> ALL(%s)"
                server.execute(others, [name, kept])

    admit(False)
    try:
        wait_for(lambda: supervision.failures >= 2)
        before = float((supervision.run_dir / "deadline").read_text())
        wait_for(lambda: float((supervision.run_dir / "deadline").read_text()) > before)
        assert thread.is_alive()
        assert before <= supervision.reached + module.LIMIT
        steps = len(series([place.run.pk])[place.run.pk, "loss"].steps)
    finally:
        admit(True)
    wait_for(lambda: len(series([place.run.pk])[place.run.pk, "loss"].steps) > steps + 20)
    place.stopping.set()
    thread.join(PATIENCE)
    found = series([place.run.pk])[place.run.pk, "loss"].steps.tolist()
    assert found == list(range(1, len(found) + 1))
    assert place.state() == "ready"


@pytest.mark.slow
@pytest.mark.timeout(500)
def test_a_slot_of_two_devices_trains_in_two_processes_and_one_of_one_device_goes_on(
    place: Place, in_thread: Callable[[Supervision], threading.Thread], request: pytest.FixtureRequest
) -> None:
    changes = [
        ("model.n_layer", 1),
        ("stages.pretrain.steps", 20_000),  # it does not end by itself
        ("stages.pretrain.batch_size", 2),
        ("stages.pretrain.length", 8),
    ]
    spec = recipes.resolve(recipes.build(recipes.read("smoke"), changes))[0]
    launcher = WarmLauncher()
    request.addfinalizer(launcher.close)

    def supervise(slot: Device) -> Supervision:
        claim = replace(place.claim(), spec=spec.model_dump(mode="json"))
        return Supervision(claim, slot, launcher, place.stopping)

    def steps() -> list[int]:
        found = series([place.run.pk])
        return found[place.run.pk, "loss"].steps.tolist() if found else []

    first = supervise(Device("cpu:0-1", "cpu", 1, 2))
    thread = in_thread(first)
    wait_for(steps)
    assert first.training is not None
    family = processes.family(first.training.pid, first.training.start_time)
    ranks = [p for p in family if p.environ().get("RANK")]
    assert sorted(p.environ()["RANK"] for p in ranks) == ["0", "1"]
    place.stopping.set()
    thread.join(PATIENCE)
    assert not processes.living(family)
    assert place.state() == "ready"
    assert Attempt.objects.get().outcome == "stopped"
    stopped_at = Checkpoint.objects.latest("seq").step
    assert stopped_at > 0

    place.stopping.clear()
    thread = in_thread(supervise(DEVICE))
    wait_for(lambda: max(steps()) > stopped_at)
    assert Attempt.objects.get(number=2).first_step == stopped_at
    place.stopping.set()
    thread.join(PATIENCE)
    assert place.state() == "ready"
    assert steps() == list(range(5, max(steps()) + 1, 5))


@pytest.mark.slow
@pytest.mark.parametrize("set_by", [-3600.0, 3600.0], ids=["an hour back", "an hour ahead"])
def test_a_clock_that_is_set_changes_nothing(
    place: Place,
    in_thread: Callable[[Supervision], threading.Thread],
    monkeypatch: pytest.MonkeyPatch,
    set_by: float,
) -> None:
    """The worker's, the janitor's and training's wall clock jump while a run goes on: the lease is renewed, and nobody ends it."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.2)
    row = Worker.objects.filter(pk=place.worker.pk)
    row.update(hostname=HERE.hostname, boot_id=HERE.boot_id, pid=os.getpid(), process_started=start_time(os.getpid()))  # fmt: skip
    place.worker.refresh_from_db()
    supervision = place.supervise(CLOCK_SET.format(set_by) + scripts.UNTIL_TOLD)
    thread = in_thread(supervision)
    wait_for(lambda: series([place.run.pk]))
    really = time.time
    monkeypatch.setattr(time, "time", lambda: really() + set_by)
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: 1.0)  # what moves with the clock
    before = StageRun.objects.get(pk=place.run.pk).lease_until
    assert before is not None
    wait_for(lambda: StageRun.objects.get(pk=place.run.pk).lease_until > before)
    take_back_from_the_dead(HERE)
    take_back_expired()
    assert place.state() == "running"
    place.stopping.set()
    thread.join(PATIENCE)
    assert Attempt.objects.get().outcome == "stopped", "it was told to, and saved its checkpoint"


def test_the_deadline_is_not_extended_past_the_lease(place: Place) -> None:
    supervision = place.supervise(scripts.SUCCEED)
    supervision.run_dir.mkdir(parents=True)
    supervision.reached = time.monotonic() - 1000  # the database has been silent for so long
    supervision._write_deadline()
    assert float((supervision.run_dir / "deadline").read_text()) == pytest.approx(
        supervision.reached + module.LIMIT, abs=0.01
    )
