"""Numbers of runs and attempts are given again once a database was restored: nobody adopts another one's files."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from tests.workers import stand_in
from tests.workers.stand_in import STEPS, StandIn, assert_complete, supervise
from training.process import checkpoints
from training.process.journal import Journal
from training.process.run_folders import folder_name
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.runs.models import Attempt, Checkpoint, StageRun, State, Worker
from webapp.telemetry.models import LogLine
from webapp.telemetry.series import series
from workers import supervision as module
from workers.claim import Claim, next_run
from workers.ingest import Ingest
from workers.janitor import take_back
from workers.supervision import Supervision

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def worker(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    settings.MULBERRY_HOME = tmp_path  # type: ignore[attr-defined]
    settings.MULBERRY_STORAGE = str(tmp_path / "storage")  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "TICK", 0)
    return Worker.objects.create(
        name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"]
    )


def launched() -> StageRun:
    recipe = recipes.build(recipes.read("demo"))
    recipe = recipe.model_copy(update={"conditions": recipe.conditions[:1]})
    owner = User.objects.get_or_create(username="ada")[0]
    return StageRun.objects.get(experiment=launch(recipe=recipe, owner=owner, reuse=False), parent=None)


def next_claim(worker: Worker) -> Claim:
    StageRun.objects.update(not_before=None)
    claim = next_run("default", worker, stand_in.DEVICE)
    assert claim is not None
    return claim


def forget(run: StageRun) -> None:
    """What restoring a dump from before a launch does: its rows are gone, and their numbers are given again."""
    number, attempt = run.pk, Attempt.objects.order_by("pk").first()
    Experiment.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('runs_stagerun', 'id'), %s, false)", [number])
        if attempt is not None:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('runs_attempt', 'id'), %s, false)", [attempt.pk]
            )


def test_a_new_run_of_an_old_number_computes_its_own_result(worker: Worker, tmp_path: Path) -> None:
    first = launched()
    supervise(worker, StandIn())
    before = Checkpoint.objects.get(final=True)
    forget(first)

    run = launched()
    assert run.pk == first.pk
    supervise(worker, StandIn())
    assert_complete(run)
    after = Checkpoint.objects.get(final=True)
    assert Attempt.objects.get(stage_run=run).first_step == 0
    assert after.path != before.path
    assert Path(before.path).is_dir(), "what the other run left is not touched"
    texts = [(Path(one.path) / "model.safetensors").read_text() for one in (before, after)]
    assert texts[0] != texts[1]


def test_what_attempts_after_the_dump_left_is_not_gone_on_from(worker: Worker) -> None:
    """The dump knows the run and its first attempt; the second one's records are in no database any more."""
    run = launched()
    supervise(worker, StandIn(dies_at=10))
    supervise(worker, StandIn(dies_at=15))
    Attempt.objects.get(stage_run=run, number=2).delete()
    StageRun.objects.filter(pk=run.pk).update(state=State.READY, attempt_number=1, finished_at=None)

    again = StandIn()
    supervision = supervise(worker, again)
    assert_complete(run)
    assert Attempt.objects.get(stage_run=run, number=2).first_step == 8
    assert supervision.run_dir.name != "attempt-2", "the folder of the forgotten attempt stays as it is"
    assert supervision.run_dir.with_name("attempt-2").is_dir()
    assert [Path(text.split()[2]).name for text in again.texts] == ["step-00000012"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_another_runs_checkpoint_is_refused_in_every_attempt(attempt: int, worker: Worker) -> None:
    """It lies in the run's own folder because somebody moved folders about."""
    first = launched()
    supervise(worker, StandIn())
    others = Path(Checkpoint.objects.get(final=True).path).parent
    StageRun.objects.filter(experiment=first.experiment_id, state=State.READY).update(state=State.CANCELLED)
    run = launched()
    if attempt == 2:
        supervise(worker, StandIn(dies_at=2))
    claim = next_claim(worker)
    own = Path(settings.MULBERRY_STORAGE) / folder_name(claim.run, claim.key)
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(others, own)
    points = len(series([run.pk]))
    supervision = Supervision(claim, stand_in.DEVICE, StandIn(), threading.Event())
    assert supervision.run() == State.FAILED
    run.refresh_from_db()
    assert f"{own} holds files of another run; move it away, then retry" in run.error
    assert len(series([run.pk])) == points
    assert not Checkpoint.objects.filter(attempt__stage_run=run, final=True).exists()


def test_another_runs_directory_is_not_brought_in(worker: Worker) -> None:
    first = launched()
    others = supervise(worker, StandIn()).run_dir
    StageRun.objects.filter(experiment=first.experiment_id, state=State.READY).update(state=State.CANCELLED)
    run = launched()
    claim = next_claim(worker)
    Attempt.objects.filter(pk=claim.attempt).update(run_dir=str(others))
    attempt = Attempt.objects.get(pk=claim.attempt)
    assert take_back(attempt) == State.FAILED
    run.refresh_from_db()
    assert f"{others} holds files of another run; move it away" in run.error
    assert series([run.pk]) == {}
    assert not LogLine.objects.filter(attempt=attempt).exists()


def as_it_was(run: StageRun) -> None:
    """What a run had before runs and attempts had uuids in their folders."""
    StageRun.objects.filter(pk=run.pk).update(key="")
    for root in (settings.MULBERRY_HOME / "runs", Path(settings.MULBERRY_STORAGE)):
        (folder,) = root.glob(f"{run.pk}-*")
        folder.rename(root / str(run.pk))
        (root / str(run.pk) / "run.key").unlink(missing_ok=True)
    for path in Path(settings.MULBERRY_STORAGE).glob("*/*/manifest.json"):
        manifest = json.loads(path.read_text())
        del manifest["key"]
        path.write_text(json.dumps(manifest, indent=1))
    for attempt in Attempt.objects.filter(stage_run=run):
        run_dir = settings.MULBERRY_HOME / "runs" / str(run.pk) / f"attempt-{attempt.number}"
        Attempt.objects.filter(pk=attempt.pk).update(run_dir=str(run_dir))
        spec = json.loads((run_dir / "spec.json").read_text())
        (run_dir / "run.key").unlink()
        added = ("key", "recorded", "parent_manifest", "finished_manifest")
        (run_dir / "spec.json").write_text(json.dumps({k: v for k, v in spec.items() if k not in added}))


def test_a_run_that_was_begun_by_an_older_version_goes_on_where_it_was(worker: Worker) -> None:
    run = launched()
    supervise(worker, StandIn(dies_at=10))
    as_it_was(run)
    supervision = supervise(worker, StandIn())
    assert_complete(run)
    assert Attempt.objects.get(stage_run=run, number=2).first_step == 8
    assert supervision.run_dir == settings.MULBERRY_HOME / "runs" / str(run.pk) / "attempt-2"


def test_of_an_older_version_only_checkpoints_that_are_recorded_are_taken(worker: Worker) -> None:
    """The folder of that number also has what another run left there, of which no row says anything."""
    run = launched()
    supervise(worker, StandIn(dies_at=10))
    as_it_was(run)
    with checkpoints.write(Path(settings.MULBERRY_STORAGE) / str(run.pk), "final", step=STEPS) as partial:
        (partial / "model.safetensors").write_text("another run's weights")
    supervise(worker, StandIn())
    assert_complete(run)
    assert Attempt.objects.get(stage_run=run, number=2).first_step == 8
    final = Checkpoint.objects.get(attempt__stage_run=run, final=True)
    assert "another" not in (Path(final.path) / "model.safetensors").read_text()


def test_a_journal_of_an_older_version_is_brought_in_to_its_end(worker: Worker) -> None:
    run = launched()
    run_dir = supervise(worker, StandIn(dies_at=10)).run_dir
    as_it_was(run)
    journal = Journal(settings.MULBERRY_HOME / "runs" / str(run.pk) / run_dir.name / "journal")
    journal.metrics(11, {"loss": 0.5})
    Ingest(Attempt.objects.get(stage_run=run).pk).drain()
    assert series([run.pk])[run.pk, "loss"].steps.tolist() == list(range(1, 12))
