"""A recipe so small that a stage takes a second, and a way to run its stages in processes of their own."""

import fcntl
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from training import warm
from training.engine import stage_helpers
from training.process import journal
from training.recipes import recipe
from training.recipes.recipe import RunSpec

torch.set_num_threads(1)  # children are forked from here: no thread pool may exist
warm.import_heavy_libraries()  # once here, so that forked children need not

stage_helpers.CORPUS_TEXTS = 500  # a hundred merges need no 2,000 texts of each mixture

DRILLS = {"source": "drills", "tiers": ["one_digit_sums", "one_digit_products"]}
PROBLEMS = {"source": "word_problems", "phrasing": "mixed"}
TINY: dict[str, Any] = {
    "name": "tiny",
    "title": "Everything in seconds",
    "primary_metric": "one_step_multiplication",
    "model": {"n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 96, "initial_std": 0.1},
    "tokenizer": {"kind": "small_bpe", "entries": 400},
    "conditions": [{"name": "baseline"}, {"name": "mul_tokens", "overrides": {"mul_tokens.inject": True}}],
    "benchmarks": [
        {"benchmark": "one_step_multiplication", "problems": 12, "max_new_tokens": 8, "batch_size": 5}
    ],
    "stages": [
        {
            "name": "pretrain",
            "kind": "pretrain",
            "data": [DRILLS],
            "steps": 9,
            "length": 32,
            "batch_size": 4,
            "save_every": 3,
            "log_every": 2,
            "optimizer": {"learning_rate": 1e-2, "warmup_steps": 2},
        },
        {
            "name": "sft",
            "kind": "sft",
            "data": [DRILLS, PROBLEMS],
            "examples": 21,
            "epochs": 2,
            "batch_size": 3,
            "gradient_accumulation": 2,
            "max_length": 96,
            "save_every": 3,
            "log_every": 2,
            "optimizer": {"learning_rate": 5e-3, "warmup_steps": 2},
        },
        {
            "name": "curriculum",
            "kind": "curriculum",
            "steps": [
                {"name": "drills", "data": [DRILLS], "examples": 20, "learning_rate": 5e-3},
                {"name": "problems", "data": [PROBLEMS], "examples": 20, "learning_rate": 2e-3},
            ],
            "batch_size": 4,
            "max_length": 96,
            "save_every": 3,
            "log_every": 2,
            "optimizer": {"learning_rate": 5e-3, "warmup_steps": 2},
        },
        {
            "name": "grpo",
            "kind": "grpo",
            "data": [DRILLS, PROBLEMS],
            "prompts": 18,
            "group_size": 4,
            "batch_size": 4,
            "gradient_accumulation": 2,
            "max_new_tokens": 12,
            "save_every": 3,
            "log_every": 2,
            "optimizer": {"learning_rate": 1e-3, "warmup_steps": 2, "schedule": "linear"},
            "rewards": [{"reward": "correct"}, {"reward": "shows_steps"}, {"reward": "repetition"}],
        },
        {
            "name": "again",
            "kind": "evaluate",
            "benchmarks": [{"benchmark": "arithmetic_probes", "problems": 7, "max_new_tokens": 4}],
        },
    ],
}
KINDS = ["pretrain", "sft", "curriculum", "grpo"]
CLOCK = ("system/", "time/", "reward_time/")  # what depends on the machine


@dataclass
class Journal:
    """The records of a run directory."""

    run_dir: Path

    def records(self, type_: str) -> list[dict[str, Any]]:
        """Fields of the records of one type, in order."""
        return [r.fields for r in journal.records(self.run_dir / "journal") if r.type == type_]

    def metrics(self) -> dict[int, dict[str, float]]:
        """Step → values, the last record of a step counting; without what depends on the clock and the machine."""
        return {fields["step"]: self.only_learnt(fields["values"]) for fields in self.records("metrics")}

    @staticmethod
    def only_learnt(values: dict[str, float]) -> dict[str, float]:
        """Without what depends on the clock and the machine."""
        return {
            name: value
            for name, value in values.items()
            if not name.endswith("_per_second") and not name.startswith(CLOCK)
        }

    def rollouts(self) -> dict[int, list[dict[str, Any]]]:
        """Step → rows, the last record of a step counting."""
        return {fields["step"]: fields["rows"] for fields in self.records("rollouts")}


@dataclass
class Stage:
    """A run directory that is run in a forked process."""

    run_dir: Path

    @property
    def journal(self) -> Journal:
        return Journal(self.run_dir)

    @property
    def checkpoints(self) -> Path:
        return self.run_dir / "checkpoints"

    def run(self, before: Callable[[], None] = lambda: None) -> int:
        """Run to the end in a child, after `before` was called in it; return the exit code or -signal."""
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.setsid()
                gc.freeze()  # the Trainer has everything collected, which takes half a second of this large process
                from training.__main__ import main

                before()
                code = main(self.run_dir)
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def run_until(self, step: int, number: int) -> int:
        """Run until the end of an optimizer step, where the process sends itself a signal."""

        def arm() -> None:
            from training.engine.callback import JournalCallback

            original = JournalCallback.on_step_end

            def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                if state.global_step == step:
                    os.kill(os.getpid(), number)
                original(self, args, state, control, **kwargs)

            JournalCallback.on_step_end = on_step_end  # type: ignore[method-assign]

        return self.run(arm)


@dataclass
class Stages:
    """Makes run directories of the tiny recipe."""

    root: Path
    data_dir: Path

    def make(
        self,
        name: str,
        stage: str,
        *,
        parent: Path | None = None,
        condition: str = "baseline",
        changes: list[tuple[str, Any]] | None = None,
        data: dict[str, Any] = TINY,
    ) -> Stage:
        """A new run directory for one stage of a recipe, the tiny one, with changes by dotted path."""
        specs = recipe.resolve(recipe.build(data, changes or []))
        spec = next(s for s in specs if (s.stage, s.condition) == (stage, condition))
        run_dir = self.root / name
        run_dir.mkdir()
        run_spec = RunSpec(
            spec=spec,
            parent_checkpoint=str(parent) if parent else None,
            data_dir=str(self.data_dir),
        )
        (run_dir / "spec.json").write_text(run_spec.model_dump_json())
        return Stage(run_dir)


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    """Run directories in the test's own folder."""
    return Stages(tmp_path, Path(os.environ["MULBERRY_DATA"]))


def made_once(name: str, make: Callable[[Stages], None]) -> Path:
    """A folder that the first process of the suite to ask for it fills, while the others wait for it."""
    folder = Path(tempfile.gettempdir()) / name
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(Stages(folder, Path(os.environ["MULBERRY_DATA"])))
            (folder / "complete").touch()
    return folder


@pytest.fixture(scope="session")
def finished() -> dict[str, Stage]:
    """Every stage of the tiny recipe, run in order without a break; do not change these."""

    def make(made: Stages) -> None:
        parent: Path | None = None
        for settings in TINY["stages"]:
            run = made.make(settings["name"], settings["name"], parent=parent)
            assert run.run() == 0, run.journal.records("finished")
            if settings["kind"] != "evaluate":
                parent = run.checkpoints / "final"

    folder = made_once("finished", make)
    return {settings["name"]: Stage(folder / settings["name"]) for settings in TINY["stages"]}


@pytest.fixture(scope="session")
def adds() -> Path:
    """The checkpoint of a model that adds right at times."""
    from tests.training.solved import RECIPE

    def make(made: Stages) -> None:
        run = made.make("adds", "adds", data=RECIPE)
        assert run.run() == 0, run.journal.records("finished")

    return Stage(made_once("adds", make) / "adds").checkpoints / "final"


SIGKILL, SIGTERM = signal.SIGKILL, signal.SIGTERM
