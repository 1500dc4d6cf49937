"""A stage that was killed or stopped goes on from its checkpoint as if nothing had happened."""

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer

from tests.training.conftest import KINDS, Stage, Stages
from training.engine.callback import JournalCallback
from training.process import checkpoints, journal

pytestmark = pytest.mark.slow

MOMENTS = ["in a step", "at the end of a step", "while saving"]


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


def watched(run_dir: Path, step: int | None = None, moment: str = "") -> Callable[[], None]:
    """For a child: note what each forward pass reads in RUN_DIR/seen, and be killed at or after a step."""

    def now(reached: int, where: str) -> None:
        if step is not None and reached >= step and where == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm() -> None:
        seen = os.open(run_dir / "seen", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(seen, b"start\n")
        originals = Trainer.training_step, JournalCallback.on_step_end, checkpoints._seal

        def training_step(self: Any, model: Any, inputs: Any, *args: Any) -> Any:
            read = inputs["input_ids"].tolist() if isinstance(inputs, dict) else inputs
            digest = hashlib.sha256(repr(read).encode()).hexdigest()
            os.write(seen, f"{self.state.global_step} {digest}\n".encode())
            now(self.state.global_step, "in a step")
            return originals[0](self, model, inputs, *args)

        def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            now(state.global_step, "at the end of a step")
            originals[1](self, args, state, control, **kwargs)

        def seal(folder: Path, at: int, key: str) -> None:
            now(at, "while saving")
            originals[2](folder, at, key)

        Trainer.training_step = training_step
        JournalCallback.on_step_end = on_step_end  # type: ignore[method-assign]
        checkpoints._seal = seal

    return arm


def order(run_dir: Path) -> dict[int, list[str]]:
    """Step → what its forward passes read, the last attempt that took the step counting."""
    found: dict[int, list[str]] = {}
    for attempt in (run_dir / "seen").read_text().split("start\n")[1:]:
        steps: dict[int, list[str]] = {}
        for line in attempt.splitlines():
            number, digest = line.split()
            steps.setdefault(int(number), []).append(digest)
        found.update(steps)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_killed_twice_at_arbitrary_moments_it_reads_and_learns_the_same(
    kind: str, finished: dict[str, Stage], stages: Stages
) -> None:
    whole = stages.make("whole", kind, parent=parent_of(finished, kind))
    assert whole.run(watched(whole.run_dir)) == 0
    last = max(order(whole.run_dir)) + 1
    chance = random.Random(kind)
    first, second = sorted(chance.sample(range(1, last), 2))
    stage = stages.make("run", kind, parent=parent_of(finished, kind))
    for step in (first, second):
        assert stage.run(watched(stage.run_dir, step, chance.choice(MOMENTS))) == -signal.SIGKILL
    assert stage.run(watched(stage.run_dir)) == 0
    assert len(stage.journal.records("started")) == 3
    assert order(stage.run_dir) == order(whole.run_dir)
    assert stage.journal.metrics() == finished[kind].journal.metrics()
    assert stage.journal.rollouts() == finished[kind].journal.rollouts()
    assert weights(stage) == weights(finished[kind])


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_moment_of_a_step_is_worse_than_another(
    moment: str, finished: dict[str, Stage], stages: Stages
) -> None:
    stage = stages.make("run", "sft", parent=parent_of(finished, "sft"))
    assert stage.run(watched(stage.run_dir, 6, moment)) == -signal.SIGKILL
    assert stage.run() == 0
    resumed = stage.journal.records("started")[-1]["step"]
    assert resumed == (3 if moment != "in a step" else 6)
    assert stage.journal.metrics() == finished["sft"].journal.metrics()
    assert weights(stage) == weights(finished["sft"])


def test_dropout_goes_on_as_it_would_have(stages: Stages) -> None:
    changes = [("model.dropout", 0.3)]
    whole, stage = (stages.make(name, "pretrain", changes=changes) for name in ("whole", "run"))
    assert whole.run() == 0
    assert stage.run(watched(stage.run_dir, 5, "in a step")) == -signal.SIGKILL
    assert stage.run() == 0
    assert stage.journal.metrics() == whole.journal.metrics()
    assert weights(stage) == weights(whole)


def test_an_evaluation_that_was_killed_begins_again(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "again", parent=finished["grpo"].checkpoints / "final")

    def arm() -> None:
        def progress(self: Any, done: int, total: int, unit: str, phase: str) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        journal.Journal.progress = progress  # type: ignore[method-assign]

    assert stage.run(arm) == -signal.SIGKILL
    before = len(stage.journal.records("outcomes"))
    assert before > 0
    assert stage.run() == 0
    assert stage.journal.records("outcomes")[before:] == finished["again"].journal.records("outcomes")


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
    newest = checkpoints.Own(stage.checkpoints).newest()
    assert newest is not None and newest.step == 6
    with (newest.path / "optimizer.pt").open("r+b") as file:
        file.seek(100)
        file.write(b"\x00bad")
    assert stage.run() == 0
    assert [fields["step"] for fields in stage.journal.records("started")] == [0, 3]
    assert stage.journal.metrics() == finished["pretrain"].journal.metrics()


def test_past_the_deadline_it_ends_without_saving(finished: dict[str, Stage], stages: Stages) -> None:
    stage = stages.make("run", "sft", parent=parent_of(finished, "sft"))
    (stage.run_dir / "deadline").write_text(str(time.monotonic() - 1))
    assert stage.run() == 75
    assert stage.journal.records("finished")[-1]["reason"] == "deadline"
    assert stage.journal.records("checkpoint") == []
    (stage.run_dir / "deadline").write_text(str(time.monotonic() + 3600))
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
