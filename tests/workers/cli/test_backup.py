"""A backup as of one moment, and what comes of it in an empty home: the same rows, files and paths of its own."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from pytest_django.fixtures import Settings

from tests import commands
from tests.factories import add_metrics, make_attempt, make_experiment, run_of
from tests.served import database_url
from tests.stack import OURS, ROOT
from training.process import checkpoints
from training.process.journal import Journal
from webapp.runs.models import Attempt, Checkpoint, State
from workers.cli import backup as backups
from workers.cli.backup import BackupError
from workers.cli.restore import restore
from workers.stack.postgres import Postgres

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@dataclass
class Installation:
    """A home with a run that succeeded, one that is training, and rows of both in the test's database."""

    home: Path
    trained: Attempt
    training: Attempt

    @property
    def storage(self) -> Path:
        return self.home / "storage"

    def backup(self, folder: Path) -> backups.Backup:
        return backups.make(folder, database_url(), self.storage, self.home / "runs", lambda _: None)


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Installation]:
    home = tmp_path / "old"
    experiment = make_experiment(conditions=["baseline"])
    made = []
    for stage, state in (("pretrain", State.SUCCEEDED), ("instruct", State.RUNNING)):
        run = run_of(experiment, "baseline", stage)
        run_dir = home / "runs" / str(run.pk) / "attempt-1"
        run_dir.mkdir(parents=True)
        journal = Journal(run_dir / "journal")
        journal.metrics(1, {"loss": 1.0})
        read = (run_dir / "journal").stat().st_size
        journal.metrics(2, {"loss": 0.5})  # nobody has read it yet
        (run_dir / "spec.json").write_text("{}")
        attempt = make_attempt(run, state=state, run_dir=str(run_dir), pid=os.getpid(), process_started=1.0)
        add_metrics(attempt, {"loss": [1.0]})
        Attempt.objects.filter(pk=attempt.pk).update(journal_offset=read)
        made.append(attempt)
    for attempt, name in ((made[0], "final"), (made[1], checkpoints.step_name(5))):
        with checkpoints.write(home / "storage" / str(attempt.stage_run_id), name, step=5) as folder:
            (folder / "model.safetensors").write_bytes(os.urandom(5000))
        found = checkpoints.read(home / "storage" / str(attempt.stage_run_id) / name)
        assert found is not None
        Checkpoint.objects.create(
            attempt=attempt, seq=1, step=5, path=str(found.path), final=found.final, bytes=found.bytes,
            manifest_sha256=found.manifest_sha256, saved_at=attempt.started_at,
        )  # fmt: skip
    yield Installation(home, *made)


def test_what_was_backed_up_is_there_again_in_another_home(
    old: Installation, tmp_path: Path, home: Path
) -> None:
    made = old.backup(tmp_path / "backup")
    assert (made.missing, made.elsewhere) == ([], [])
    shutil.rmtree(old.home)

    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = commands.mulberry(
        ("restore", str(tmp_path / "backup")), {**clean, "MULBERRY_HOME": str(home)}, ROOT, 120
    )
    assert done.returncode == 0, done.stderr
    assert "restored; start it with `mulberry up`" in done.stdout
    server = Postgres(home, {"fsync": "off"})
    try:
        with psycopg.connect(server.start()) as connection:
            paths = connection.execute("SELECT path, manifest_sha256 FROM runs_checkpoint").fetchall()
            attempts = connection.execute("SELECT id, run_dir, pid FROM runs_attempt ORDER BY id").fetchall()
            held = connection.execute("SELECT count(*) FROM runs_stagerun WHERE lease_until > now()")
            assert held.fetchone() == (0,)
    finally:
        server.stop()
    for path, sha256 in paths:
        found = checkpoints.read(Path(path))
        assert found is not None and found.manifest_sha256 == sha256
        assert found.path.is_relative_to(home / "storage")
    assert [pk for pk, *_ in attempts] == [old.trained.pk, old.training.pk]
    for pk, run_dir, _ in attempts:
        offset = Attempt.objects.get(pk=pk).journal_offset
        assert Path(run_dir).is_relative_to(home / "runs")
        assert (Path(run_dir) / "journal").stat().st_size == offset > 0
    assert attempts[1][2] is None  # whose number another process may have

    again = commands.mulberry(
        ("restore", str(tmp_path / "backup")), {**clean, "MULBERRY_HOME": str(home)}, ROOT, 120
    )
    assert again.returncode == 1
    assert "has a database already; set MULBERRY_HOME to an empty folder" in again.stderr


def test_a_checkpoint_that_is_not_whole_is_named_and_not_kept(old: Installation, tmp_path: Path) -> None:
    (old.storage / str(old.trained.stage_run_id) / "final" / "model.safetensors").write_bytes(b"cut")
    shutil.rmtree(
        old.storage / str(old.training.stage_run_id)
    )  # a point to resume from, which training removed
    made = old.backup(tmp_path / "backup")
    assert made.missing == [str(old.storage / str(old.trained.stage_run_id) / "final")]
    assert not [name for name in made.files if name.endswith("model.safetensors")]


def test_a_backup_that_was_changed_or_cut_short_is_refused(
    old: Installation, tmp_path: Path, settings: Settings
) -> None:
    old.backup(tmp_path / "backup")
    target = {"home": tmp_path / "new", "storage": tmp_path / "new" / "storage"}
    (model,) = (tmp_path / "backup" / "storage").rglob("final/model.safetensors")
    content = bytearray(model.read_bytes())
    content[100] ^= 4
    model.write_bytes(content)
    with pytest.raises(BackupError, match=r"model.safetensors is not as it was written"):
        restore(tmp_path / "backup", **target, url=None, say=lambda _: None)
    (tmp_path / "backup" / "backup.json").unlink()
    with pytest.raises(BackupError, match="is no whole backup"):
        restore(tmp_path / "backup", **target, url=None, say=lambda _: None)
    assert not (tmp_path / "new").exists()
    with pytest.raises(BackupError, match="has tables already"):
        restore(tmp_path / "backup", **target, url=database_url(), say=lambda _: None)
    with pytest.raises(BackupError, match="is not empty"):
        old.backup(tmp_path / "backup")


def test_a_restore_that_fails_leaves_nothing(
    old: Installation, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old.backup(tmp_path / "backup")

    def full(source: Path, target: Path, **_: bool) -> None:
        (target / "7").mkdir(parents=True)
        raise shutil.Error([(str(source), str(target / "7"), "[Errno 28] No space left on device")])

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(BackupError, match=r"nothing was restored: .*/storage/7: .*No space left on device"):
        restore(tmp_path / "backup", home, home / "storage", url=None, say=lambda _: None)
    monkeypatch.undo()
    restore(tmp_path / "backup", home, home / "storage", url=None, say=lambda _: None)
    assert [*(home / "storage").rglob("final/model.safetensors")]


def test_a_server_newer_than_every_client_here_is_explained() -> None:
    with pytest.raises(
        BackupError, match=r"needs pg_dump of PostgreSQL 99 or newer, and here it is .*18; install"
    ):
        backups.client("pg_dump", 99)
    assert backups.client("pg_dump", 18)[1] == 18
