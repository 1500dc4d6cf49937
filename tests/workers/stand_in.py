"""A stage that learns nothing, run in the test's process by the real supervision: real journal, checkpoints, resuming.

It does what training does with its files, in the same order, and takes milliseconds.
"""

import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.rows import row_of
from training.process import checkpoints
from training.process.journal import Journal, OutcomeRow, RolloutRow
from training.recipes.recipe import RunSpec
from webapp.results.models import Outcome
from webapp.runs.models import Attempt, StageRun, State, Worker
from webapp.telemetry.series import rollouts, series
from workers.claim import next_run
from workers.devices import Device
from workers.launcher import Launcher, Training
from workers.supervision import Supervision

DEVICE = Device("cpu:0", "cpu", 1)
STEPS, SAVE_EVERY, PER_STEP, PROBLEMS = 20, 4, 2, 6
NOBODY = 2**22 + 1  # no process has such a number

ROLLOUT = row_of(
    RolloutRow, prompt="User: 6 × 9?", completion=" 54\n", reference="54", final_answer="54", tokens=3, reward=1.0,
    components={"correct": 1.0}, advantage=0.5, correct=True,
)  # fmt: skip
OUTCOME = row_of(
    OutcomeRow, prompt="p", completion="r", reference="1", final_answer=None, tokens=1, hit_limit=True
)


class StandIn(Launcher):
    """Starts a stage by doing all of it; `then` happens when it is over, before anything more of its journal is read."""

    def __init__(
        self, then: Callable[[Path], None] = lambda run_dir: None, *, dies_at: int | None = None
    ) -> None:
        self.then, self.dies_at = then, dies_at
        self.during: Callable[[int], None] = lambda step: None  # called after each step
        self.texts: list[str] = []  # of checkpoints that were passed over

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def start(self, run_dir: Path, environment: Mapping[str, str], processes: int = 1) -> Training:
        code = self._train(run_dir)
        self.then(run_dir)
        training = Training(NOBODY, 1.0)
        training.end(code)
        return training

    def _train(self, run_dir: Path) -> int:
        spec = RunSpec.model_validate_json((run_dir / "spec.json").read_bytes())
        folder = Path(spec.checkpoints)
        journal = Journal(run_dir / "journal")
        own = checkpoints.Own(folder, spec.key, spec.recorded, self.texts)
        done = own.final()
        resume = done or own.newest()
        begun = resume.step if resume else 0
        journal.append("started", attempt=spec.attempt, step=begun, pid=NOBODY)
        for text in self.texts:
            journal.log(text, "warning")
        for step in range(begun + 1, STEPS + 1):
            journal.append("rollouts", step=step, rows=[{**ROLLOUT, "group": i} for i in range(PER_STEP)])
            journal.metrics(step, {"loss": 1 / step})
            journal.progress(step, STEPS, "steps", "train")
            self.during(step)
            if step == self.dies_at:
                return -9
            if step % SAVE_EVERY == 0:
                self._save(journal, folder, checkpoints.step_name(step), step, spec.key)
                checkpoints.prune(folder)
        if done is None:
            self._save(journal, folder, checkpoints.FINAL, STEPS, spec.key)
        journal.append(
            "evaluation", evaluation="b@6", benchmark="b", step=STEPS, problems=PROBLEMS, settings={}
        )
        for i in range(PROBLEMS):
            journal.append("outcomes", evaluation="b@6", rows=[{**OUTCOME, "problem": str(i)}])
        journal.append("finished", status="succeeded", reason="", hint="")
        return 0

    @staticmethod
    def _save(journal: Journal, folder: Path, name: str, step: int, key: str) -> None:
        with checkpoints.write(folder, name, step=step, key=key) as partial:
            (partial / "model.safetensors").write_text(f"weights of step {step} of {key}")
        saved = checkpoints.read(folder / name)
        assert saved is not None
        journal.append(
            "checkpoint", step=step, path=str(saved.path), final=saved.final,
            manifest_sha256=saved.manifest_sha256, bytes=saved.bytes,
        )  # fmt: skip


def supervise(worker: Worker, launcher: Launcher) -> Supervision:
    """Claim the next run, whatever its back-off, and supervise it to its end."""
    StageRun.objects.update(not_before=None)
    claim = next_run("default", worker, DEVICE)
    assert claim is not None
    supervision = Supervision(claim, DEVICE, launcher, threading.Event())
    supervision.run()
    return supervision


def assert_complete(run: StageRun) -> None:
    """Every step, every rollout and every outcome is there once."""
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED
    assert series([run.pk])[run.pk, "loss"].steps.tolist() == list(range(1, STEPS + 1))
    steps = sorted(rollouts([run.pk]).values_list("step", flat=True))
    assert steps == sorted(list(range(1, STEPS + 1)) * PER_STEP)
    newest = Attempt.objects.filter(stage_run=run).latest("number")
    assert Outcome.objects.filter(evaluation__attempt=newest).count() == PROBLEMS


def flip(path: Path, place: int, bit: int) -> None:
    """Turn one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def flip_at_random(path: Path, chance: random.Random, start: int = 0) -> None:
    """Turn one bit of a file, somewhere from byte `start` on."""
    flip(path, chance.randrange(start, path.stat().st_size), chance.randrange(8))
