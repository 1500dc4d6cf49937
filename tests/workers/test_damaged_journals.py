"""A bit turned anywhere in a journal that is not in the database yet: nothing is lost, doubled or taken for a result."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.factories import make_attempt, make_experiment, run_of
from tests.rows import row_of
from training.process.journal import HEADER, Journal, RolloutRow
from webapp.runs.models import Attempt, Checkpoint, StageRun, State
from webapp.telemetry.models import LogLine
from webapp.telemetry.series import rollouts, series
from workers.ingest import Ingest
from workers.janitor import take_back
from workers.run_spec import recorded

pytestmark = [pytest.mark.django_db, pytest.mark.services]

STEPS, EVERY, FLIPS = 12, 4, 40


def write(path: Path, first: int) -> None:
    """What GRPO writes from behind step `first` to its end; a checkpoint's manifest is its step."""
    journal = Journal(path)
    journal.append("started", attempt=1, step=first, pid=1)
    for step in range(first + 1, STEPS + 1):
        journal.append("rollouts", step=step, rows=[row_of(RolloutRow, prompt="6 × 9?", reward=0.5)] * 2)
        journal.metrics(step, {"reward": 0.5})
        if step % EVERY == 0:
            journal.append("checkpoint", step=step, path=f"/{step}", final=False, manifest_sha256=str(step), bytes=1)  # fmt: skip
    journal.append("evaluation", evaluation="a", benchmark="a", step=STEPS, problems=1, settings={})
    journal.append("finished", status="succeeded", reason="", hint="")
    journal.close()


@pytest.fixture
def run() -> StageRun:
    return run_of(make_experiment(conditions=["baseline"]), "baseline", "grpo")


def damaged(run: StageRun, folder: Path, damage: bytes) -> Attempt:
    """An attempt that is over, with that journal."""
    folder.mkdir()
    (folder / "journal").write_bytes(damage)
    return make_attempt(run, run_dir=str(folder))


def test_a_bit_turned_anywhere_costs_a_second_attempt_and_nothing_else(run: StageRun, tmp_path: Path) -> None:
    write(tmp_path / "journal", 0)
    whole = (tmp_path / "journal").read_bytes()
    draw = random.Random(17)
    again = 0
    for trial in range(FLIPS):
        at = draw.randrange(len(whole))
        turned = bytearray(whole)
        turned[at] ^= 1 << draw.randrange(8)
        attempt = damaged(run, tmp_path / f"{trial}", bytes(turned))
        if take_back(attempt) != State.SUCCEEDED:
            again += 1
            from_ = max(map(int, recorded(run.pk)), default=0)
            folder = tmp_path / f"{trial}-again"
            folder.mkdir()
            write(folder / "journal", from_)
            assert take_back(make_attempt(run, run_dir=str(folder))) == State.SUCCEEDED, at
        assert series([run.pk])[run.pk, "reward"].steps.tolist() == list(range(1, STEPS + 1)), at
        counted = Counter(rollouts([run.pk]).values_list("step", flat=True))
        assert counted == dict.fromkeys(range(1, STEPS + 1), 2), at
        Attempt.objects.all().delete()
        StageRun.objects.filter(pk=run.pk).update(state=State.READY, attempt_number=0)
    assert again > FLIPS // 2


def test_what_is_missing_is_said_and_nothing_behind_it_counts(run: StageRun, tmp_path: Path) -> None:
    write(tmp_path / "journal", 0)
    whole = (tmp_path / "journal").read_bytes()
    start = whole.index(b'"step":6,"values"') - 40
    start = whole.rindex(b"\n", 0, start) + 1
    end = whole.index(b"\n", start) + 1
    attempt = damaged(
        run, tmp_path / "run", whole[: start + HEADER + 9] + b"?" + whole[start + HEADER + 10 :]
    )
    ingest = Ingest(attempt.pk)
    ingest.drain()
    attempt.refresh_from_db()
    assert (attempt.journal_hole, attempt.journal_offset) == (start, len(whole))
    assert ingest.finished is None and f"byte {start:,}" in ingest.damage
    assert Ingest(attempt.pk).damage == ingest.damage, "whoever looks next knows it"
    line = LogLine.objects.get(attempt=attempt)
    assert line.text == f"{end - start:,} bytes of the journal from byte {start:,} on cannot be read"
    assert list(Checkpoint.objects.values_list("step", flat=True)) == [4]
    assert series([run.pk])[run.pk, "reward"].steps.tolist() == [1, 2, 3, 4, 5]


def test_a_record_that_is_missing_without_a_trace_is_missed(run: StageRun, tmp_path: Path) -> None:
    write(tmp_path / "journal", 0)
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    attempt = damaged(run, tmp_path / "run", b"".join(lines[:7] + lines[8:]))
    assert take_back(attempt) == State.READY
    attempt.refresh_from_db()
    assert attempt.journal_hole == sum(map(len, lines[:7]))


def test_bytes_between_records_of_which_none_is_missing_do_no_harm(run: StageRun, tmp_path: Path) -> None:
    write(tmp_path / "journal", 0)
    lines = (tmp_path / "journal").read_bytes().splitlines(keepends=True)
    attempt = damaged(run, tmp_path / "run", b"".join([*lines[:7], b"\0" * 100, *lines[7:]]))
    assert take_back(attempt) == State.SUCCEEDED


def test_a_checkpoint_is_gone_on_from_only_where_all_before_it_counts(run: StageRun, tmp_path: Path) -> None:
    for number, first in enumerate((0, 4), start=1):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        write(folder / "journal", first)
        Ingest(make_attempt(run, run_dir=str(folder)).pk).drain()
    Checkpoint.objects.filter(attempt__number=1).update(manifest_sha256="first")
    assert sorted(recorded(run.pk)) == ["12", "8", "first"], "of the first attempt the one at step 4 alone"
    assert Checkpoint.objects.filter(manifest_sha256="first").count() == 3
