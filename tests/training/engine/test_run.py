"""How a stage begins and ends: records, exit codes, and errors that say what to do."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.conftest import Stage, Stages
from training.__main__ import _explained
from training.process import checkpoints, journal
from training.process.journal import records

pytestmark = pytest.mark.slow


def test_the_records_of_a_whole_stage(finished: dict[str, Stage]) -> None:
    stage = finished["sft"]
    types = [record.type for record in records(stage.run_dir / "journal")]
    assert types[0] == "started"
    assert types[-1] == "finished"
    assert stage.journal.records("finished") == [{"status": "succeeded", "reason": "", "hint": ""}]
    assert sorted(stage.journal.metrics()) == [2, 4, 6, 8]
    assert [c["step"] for c in stage.journal.records("checkpoint")] == [3, 6, 8]
    final = stage.journal.records("checkpoint")[-1]
    found = checkpoints.Own(stage.checkpoints).final()
    assert found is not None
    assert final == {
        "step": 8,
        "path": str(stage.checkpoints / "final"),
        "final": True,
        "manifest_sha256": found.manifest_sha256,
        "bytes": found.bytes,
    }
    progress = stage.journal.records("progress")
    assert progress[0] == {"done": 1, "total": 21, "unit": "examples", "phase": "preparing data"}
    steps = [fields for fields in progress if fields["unit"] == "steps"]
    assert steps[0] == {"done": 0, "total": 8, "unit": "steps", "phase": "train"}
    assert progress[-1] == {
        "done": 12,
        "total": 12,
        "unit": "problems",
        "phase": "one_step_multiplication",
    }


def test_a_stage_records_which_examples_it_kept(finished: dict[str, Stage]) -> None:
    (found,) = finished["sft"].journal.records("examples")
    (part,) = found["parts"]
    assert (part["part"], part["examples"], len(part["sha256"])) == ("train", 21, 64)
    assert sum(dose["examples"] for dose in part["sources"]) == 21
    assert all(dose["tokens"] > dose["examples"] for dose in part["sources"])
    assert all(dose["mul_tokens"] == dose["replaced"] == 0 for dose in part["sources"])
    curriculum = finished["curriculum"].journal.records("examples")[-1]["parts"]
    assert len({one["sha256"] for one in curriculum}) == len(curriculum) > 1
    (prompts,) = finished["grpo"].journal.records("examples")[-1]["parts"]
    assert prompts["part"] == "prompts"
    assert {one["tokens"] for one in prompts["sources"]} == {0}


def test_every_problem_is_an_outcome_with_its_text(finished: dict[str, Stage]) -> None:
    stage = finished["grpo"]
    announced = stage.journal.records("evaluation")
    assert [a["evaluation"] for a in announced] == ["one_step_multiplication@12"]
    assert set(announced[0]["settings"]) == {
        "prompt_format",
        "decoding",
        "max_new_tokens",
        "grader",
        "problems_sha256",
    }
    rows = [row for fields in stage.journal.records("outcomes") for row in fields["rows"]]
    assert len({row["problem"] for row in rows}) == 12
    assert all(row["prompt"].startswith("User: ") and row["tokens"] <= 8 for row in rows)
    other = finished["pretrain"].journal.records("evaluation")
    assert other[0]["settings"] == announced[0]["settings"]  # so that the two can be compared


def test_an_evaluation_stage_names_its_parents_checkpoint(finished: dict[str, Stage]) -> None:
    again, grpo = finished["again"].journal, finished["grpo"].journal
    assert again.records("checkpoint") == [grpo.records("checkpoint")[-1]]
    assert again.records("evaluation")[0]["evaluation"] == "arithmetic_probes@7"


def test_the_curriculums_steps_are_phases_with_schedules_of_their_own(finished: dict[str, Stage]) -> None:
    stage = finished["curriculum"]
    assert [p["phase"] for p in stage.journal.records("progress") if p["unit"] == "steps"][-1] == "problems"
    metrics = stage.journal.metrics()
    assert sorted(metrics) == [2, 4, 6, 8, 10]
    assert metrics[2]["learning_rate"] == pytest.approx(5e-3)  # the end of warm-up
    assert metrics[6]["learning_rate"] < metrics[4]["learning_rate"] * 5
    assert metrics[10]["learning_rate"] == pytest.approx(2e-3 * 0.1)


def test_both_conditions_start_from_equal_weights_and_vocabularies(
    finished: dict[str, Stage], stages: Stages
) -> None:
    stage = stages.make("mul", "pretrain", condition="mul_tokens")
    assert stage.run() == 0
    ours, other = stage.checkpoints / "final", finished["pretrain"].checkpoints / "final"
    assert (ours / "tokenizer.json").read_bytes() == (other / "tokenizer.json").read_bytes()
    first, baseline = stage.journal.metrics()[2], finished["pretrain"].journal.metrics()[2]
    assert first["loss"] != baseline["loss"]


@pytest.mark.parametrize(
    ("stage", "changes", "hint"),
    [
        ("sft", [("stages.sft.max_length", 9)], "raise it, or choose shorter data"),
        ("sft", [], "missing is gone; have the stage before this one computed again"),
        ("again", [], "is gone; have the stage before this one computed again"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line(
    stage: str, changes: list[tuple[str, Any]], hint: str, finished: dict[str, Stage], stages: Stages
) -> None:
    parent = finished["pretrain"].checkpoints / "final" if changes else stages.root / "missing"
    made = stages.make("run", stage, parent=parent, changes=changes)
    assert made.run() == 1
    last = made.journal.records("finished")[-1]
    assert (last["status"], last["reason"]) == ("failed", "bad_setting")
    assert hint in last["hint"] and "\n" not in last["hint"]


@pytest.mark.parametrize("harm", ["a bit", "another one"])
def test_a_parent_is_read_whole_before_it_is_trained_on(
    harm: str, finished: dict[str, Stage], stages: Stages
) -> None:
    parent = stages.root / "final"
    shutil.copytree(finished["pretrain"].checkpoints / "final", parent)
    made = stages.make("run", "sft", parent=parent)
    if harm == "a bit":
        with (parent / "model.safetensors").open("r+b") as file:
            file.seek(-9, os.SEEK_END)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))
    else:
        spec = json.loads((made.run_dir / "spec.json").read_text())
        (made.run_dir / "spec.json").write_text(json.dumps(spec | {"parent_manifest": "0" * 64}))
    assert made.run() == 1
    last = made.journal.records("finished")[-1]
    assert last["reason"] == "bad_setting" and made.journal.records("metrics") == []
    assert {"a bit": "is damaged", "another one": "is not the one that was recorded"}[harm] in last["hint"]


def test_a_diverging_run_says_so(stages: Stages) -> None:
    changes = [("stages.pretrain.optimizer.learning_rate", 1.0), ("model.initial_std", 1e18)]
    made = stages.make("run", "pretrain", changes=changes)
    assert made.run() == 1
    last = made.journal.records("finished")[-1]
    assert last["reason"] == "bad_setting"
    assert "lower the learning rate" in last["hint"]


@pytest.mark.parametrize(
    ("setting", "value", "hints"),
    [
        ("steps", -1, ["spec.settings.pretrain.steps", "greater than or equal to 1"]),
        (
            "length",
            97,
            ["length 97 is more than the model's context; lower it to at most model.n_positions 96"],
        ),
    ],
)
def test_a_spec_changed_by_hand_is_checked(
    setting: str, value: int, hints: list[str], stages: Stages
) -> None:
    made = stages.make("run", "pretrain")
    spec = json.loads((made.run_dir / "spec.json").read_text())
    spec["spec"]["settings"][setting] = value
    (made.run_dir / "spec.json").write_text(json.dumps(spec))
    assert made.run() == 1
    last = made.journal.records("finished")[-1]
    assert last["reason"] == "bad_setting"
    assert all(hint in last["hint"] for hint in hints)


def test_term_during_the_benchmarks_stops_between_batches(finished: dict[str, Stage], stages: Stages) -> None:
    made = stages.make("run", "pretrain")

    def arm() -> None:
        import os

        original = journal.Journal.progress

        def progress(self: Any, done: int, total: int, unit: str, phase: str) -> None:
            if unit == "problems":
                os.kill(os.getpid(), signal.SIGTERM)
            original(self, done, total, unit, phase)

        journal.Journal.progress = progress  # type: ignore[method-assign]

    assert made.run(arm) == 75
    assert sum(len(fields["rows"]) for fields in made.journal.records("outcomes")) == 5
    assert made.run() == 0
    assert made.journal.metrics() == finished["pretrain"].journal.metrics()


def test_running_out_of_memory_has_a_hint() -> None:
    for error in (torch.OutOfMemoryError("CUDA out of memory"), MemoryError()):
        reason, hint = _explained(error, Path())
        assert reason == "out_of_memory"
        assert "halve batch_size" in hint
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert _explained(raised.value, Path())[0] == "out_of_memory"
    assert _explained(KeyError("x"), Path())[0] == "error"


def taken_over(stages: Stages, stage: str, checkpoint: Path) -> Stage:
    """A run of the stage that is told of its result, made by another run."""
    made = stages.make("run", stage)
    spec = json.loads((made.run_dir / "spec.json").read_text())
    spec["finished_checkpoint"] = str(checkpoint)
    (made.run_dir / "spec.json").write_text(json.dumps(spec))
    return made


@pytest.mark.parametrize("stage", ["sft", "again"])
def test_a_stage_that_takes_a_result_over_runs_its_benchmarks_alone(
    stage: str, finished: dict[str, Stage], stages: Stages
) -> None:
    source = finished["sft"].checkpoints / "final"
    made = taken_over(stages, stage, source)
    assert made.run() == 0
    assert made.journal.records("metrics") == []
    assert made.journal.records("outcomes")
    if stage == "sft":
        assert made.journal.records("outcomes") == finished["sft"].journal.records("outcomes")
    assert [fields["path"] for fields in made.journal.records("checkpoint")] == [str(source)]
    assert not list(made.checkpoints.glob("*"))


def test_a_result_that_is_gone_is_said(stages: Stages) -> None:
    made = taken_over(stages, "sft", stages.root / "missing")
    assert made.run() == 1
    last = made.journal.records("finished")[-1]
    assert last["reason"] == "bad_setting" and "launch the experiment again with --no-reuse" in last["hint"]
