"""A stage that was killed or stopped goes on from its checkpoint as if nothing had happened."""

import hashlib
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.training.conftest import KINDS, Stage, Stages
from training import checkpoints


def parent_of(finished: dict[str, Stage], kind: str) -> Path | None:
    before = KINDS.index(kind) - 1
    return finished[KINDS[before]].checkpoints / "final" if before >= 0 else None


def weights(stage: Stage) -> str:
    return hashlib.sha256((stage.checkpoints / "final" / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("number", "step", "resumes_at"), [(signal.SIGKILL, 5, 3), (signal.SIGTERM, 5, 5)])
def test_an_interrupted_stage_ends_like_an_uninterrupted_one(
    kind: str, number: int, step: int, resumes_at: int, finished: dict[str, Stage], stages: Stages
) -> None:
    stage = stages.make("run", kind, parent=parent_of(finished, kind))
    code = stage.run_until(step, number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 75)
    if number == signal.SIGTERM:
        assert stage.journal.records("finished")[-1]["reason"] == "terminated"

    assert stage.run() == 0
    assert [fields["step"] for fields in stage.journal.records("started")] == [0, resumes_at]
    assert stage.journal.metrics() == finished[kind].journal.metrics()
    assert stage.journal.rollouts() == finished[kind].journal.rollouts()
    assert weights(stage) == weights(finished[kind])


def test_grpo_with_several_iterations_saves_only_between_batches_of_rollouts(
    finished: dict[str, Stage], stages: Stages
) -> None:
    changes = [("stages.grpo.iterations", 2), ("stages.grpo.save_every", 3)]
    parent = parent_of(finished, "grpo")
    whole = stages.make("whole", "grpo", parent=parent, changes=changes)
    assert whole.run() == 0
    broken = stages.make("broken", "grpo", parent=parent, changes=changes)
    assert broken.run_until(5, signal.SIGTERM) == 75
    saved = [fields["step"] for fields in broken.journal.records("checkpoint")]
    assert saved == [2, 4, 6]  # the TERM came at 5: one more step, to the end of the batch
    assert broken.run() == 0
    assert broken.journal.metrics() == whole.journal.metrics()
    assert broken.journal.rollouts() == whole.journal.rollouts()


def test_a_broken_checkpoint_is_passed_over(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "pretrain")
    assert stage.run_until(8, signal.SIGKILL) == -signal.SIGKILL
    newest = checkpoints.newest_valid(stage.checkpoints)
    assert newest is not None and newest.step == 6
    with (newest.path / "optimizer.pt").open("r+b") as file:
        file.seek(100)
        file.write(b"\x00bad")
    assert stage.run() == 0
    assert [fields["step"] for fields in stage.journal.records("started")] == [0, 3]
    assert stage.journal.metrics() == finished["pretrain"].journal.metrics()


def test_past_the_deadline_it_ends_without_saving(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "sft", parent=parent_of(finished, "sft"))
    (stage.run_dir / "deadline").write_text(str(time.time() - 1))
    assert stage.run() == 75
    assert stage.journal.records("finished")[-1]["reason"] == "deadline"
    assert stage.journal.records("checkpoint") == []
    (stage.run_dir / "deadline").write_text(str(time.time() + 3600))
    assert stage.run() == 0


def test_what_ended_during_its_benchmarks_only_evaluates_again(
    finished: dict[str, Stage], stages: Stages
) -> None:
    stage = stages.make("run", "pretrain")
    shutil.copytree(finished["pretrain"].checkpoints, stage.checkpoints)
    assert stage.run() == 0
    assert stage.journal.metrics() == {}
    assert stage.journal.records("started")[0]["step"] == 9
    assert [c["final"] for c in stage.journal.records("checkpoint")] == [True]
    assert stage.journal.records("outcomes") == finished["pretrain"].journal.records("outcomes")


def test_two_runs_by_hand_have_the_same_losses(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "grpo", parent=parent_of(finished, "grpo"))
    assert stage.run() == 0
    assert stage.journal.metrics() == finished["grpo"].journal.metrics()
