"""Pre-training: every row once, in order, whoever was killed when; validation, MFU, compiled models."""

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import GPT2Config, GPT2LMHeadModel

from tests.training.conftest import Stage, Stages
from training.architecture import flops

CHANGES: list[tuple[str, Any]] = [
    ("stages.pretrain.data", [{"source": "statements", "weight": 3}, {"source": "drills", "weight": 1}]),
    ("stages.pretrain.steps", 13),
    ("stages.pretrain.gradient_accumulation", 2),
    ("stages.pretrain.log_every", 1),
    ("stages.pretrain.save_every", 4),
    ("stages.pretrain.validation_tokens", 500),
    ("stages.pretrain.validate_every", 3),
    ("stages.pretrain.benchmarks", []),
    ("model.dropout", 0.1),
]


def watched(stage: Stage, kill_at: int | None = None) -> int:
    """Run the stage with small shards; every batch's ids go to a file; SIGKILL after so many optimizer steps."""

    def arm() -> None:
        import os

        from training.data import pretokenized
        from training.engine.callback import JournalCallback
        from training.stages.pretrain.trainer import PretrainTrainer

        pretokenized.rows.__kwdefaults__["shard_tokens"] = 700
        training_step, on_step_end = PretrainTrainer.training_step, JournalCallback.on_step_end

        def step(self: Any, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            with (stage.run_dir / "batches").open("a") as file:
                file.write(json.dumps([self.state.global_step, inputs["input_ids"].tolist()]) + "\n")
            return training_step(self, model, inputs, num_items_in_batch)

        def end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            on_step_end(self, args, state, control, **kwargs)

        PretrainTrainer.training_step = step  # type: ignore[method-assign]
        JournalCallback.on_step_end = end  # type: ignore[method-assign]

    return stage.run(arm)


def batches(stage: Stage) -> dict[int, list[Any]]:
    """Optimizer step → ids of its passes, those of the last attempt counting."""
    found: dict[int, list[Any]] = {}
    last = -1
    for line in (stage.run_dir / "batches").read_text().splitlines():
        step, ids = json.loads(line)
        if step != last:
            found[step] = []
        found[step].append(ids)
        last = step
    return found


def values(stage: Stage, name: str) -> dict[int, float]:
    return {f["step"]: f["values"][name] for f in stage.journal.records("metrics") if name in f["values"]}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Stage:
    stage = Stages(tmp_path_factory.mktemp("whole"), data_dir).make("run", "pretrain", changes=CHANGES)
    assert watched(stage) == 0, stage.journal.records("finished")
    return stage


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [2, 6, 11])
def test_killed_at_any_step_no_row_is_read_twice_or_left_out(
    kill_at: int, uninterrupted: Stage, stages: Stages
) -> None:
    stage = stages.make("run", "pretrain", changes=CHANGES)
    assert watched(stage, kill_at) == -signal.SIGKILL
    assert watched(stage) == 0
    assert [f["step"] for f in stage.journal.records("started")] == [0, kill_at // 4 * 4]
    assert batches(stage) == batches(uninterrupted)
    for name in ("loss", "grad_norm", "learning_rate", "tokens", "validation_loss", "perplexity"):
        assert values(stage, name) == values(uninterrupted, name), name
    assert len([line for line in lines(stage) if line.endswith("nothing to make")]) == 1


def lines(stage: Stage) -> list[str]:
    return [f["text"] for f in stage.journal.records("log")]


def test_every_row_comes_once_and_in_order(uninterrupted: Stage) -> None:
    rows = [row for step in batches(uninterrupted).values() for ids in step for row in ids]
    assert len(rows) == 13 * 2 * 4
    assert len({tuple(row) for row in rows}) == len(rows)
    files = sorted((uninterrupted.run_dir.parent / "cache" / "shards").rglob("shard-*.bin"))
    stored = [token for file in files[1:] for token in memoryview(file.read_bytes()).cast("H")]
    assert [token for row in rows for token in row] == stored[: len(rows) * 32]
    assert len(files) > 3


def test_validation_is_measured_at_its_steps_and_at_the_end(uninterrupted: Stage) -> None:
    losses = values(uninterrupted, "validation_loss")
    assert list(losses) == [3, 6, 9, 12, 13]
    assert losses[13] < losses[3]
    assert values(uninterrupted, "perplexity")[13] == pytest.approx(math.exp(losses[13]))


def test_the_validation_loss_is_that_of_the_rows(uninterrupted: Stage) -> None:
    final = GPT2LMHeadModel.from_pretrained(uninterrupted.checkpoints / "final").eval()
    first = min((uninterrupted.run_dir.parent / "cache" / "shards").rglob("shard-*.bin"))
    ids = torch.tensor(list(memoryview(first.read_bytes()).cast("H")))
    rows = ids[: len(ids) // 32 * 32].view(-1, 32)
    assert len(rows) % 4 != 0  # the last batch is a short one
    with torch.no_grad():
        expected = torch.stack([final(row[None], labels=row[None]).loss for row in rows]).mean().item()
    assert values(uninterrupted, "validation_loss")[13] == pytest.approx(expected, rel=1e-5)


def test_preparing_is_told_before_training(uninterrupted: Stage, stages: Stages) -> None:
    progress = uninterrupted.journal.records("progress")
    assert progress[0]["phase"] == "preparing data"
    assert progress[0]["unit"] == "tokens"
    assert progress[0]["total"] == 500 + 13 * 2 * 4 * 32
    assert progress[-1] == {"done": 13, "total": 13, "unit": "steps", "phase": "train"}


def test_runs_with_the_same_text_share_the_tokens(uninterrupted: Stage, stages: Stages) -> None:
    changes = [*CHANGES, ("model.n_embd", 32), ("stages.pretrain.steps", 2), ("stages.pretrain.length", 64)]
    named = set()
    for name, told in [("first", "tokens made in"), ("second", "nothing to make")]:
        stage = stages.make(name, "pretrain", changes=changes)
        assert watched(stage) == 0
        assert any(told in line for line in lines(stage))
        named.add(stage.journal.records("examples")[-1]["parts"][0]["sha256"])
    assert len(named) == 1
    assert len(named.pop()) == 64
    assert len(list((stages.root / "cache" / "shards").glob("*.lock"))) == 1


def test_other_data_under_a_checkpoint_are_refused(stages: Stages) -> None:
    stage = stages.make("run", "pretrain", changes=CHANGES)
    assert watched(stage, kill_at=6) == -signal.SIGKILL
    spec = json.loads((stage.run_dir / "spec.json").read_text())
    spec["spec"]["settings"]["data"][0]["weight"] = 2
    (stage.run_dir / "spec.json").write_text(json.dumps(spec))
    assert watched(stage) == 1
    assert "put back what it was" in stage.journal.records("finished")[-1]["hint"]


def test_mfu_is_there_when_the_peak_is_known(uninterrupted: Stage, stages: Stages) -> None:
    assert values(uninterrupted, "mfu") == {}  # nobody knows a CPU's peak
    stage = stages.make("run", "pretrain", changes=[("stages.pretrain.peak_flops", 1e9)])
    assert stage.run() == 0
    rates, found = values(stage, "tokens_per_second"), values(stage, "mfu")
    final = GPT2LMHeadModel.from_pretrained(stage.checkpoints / "final")
    assert sorted(found) == [2, 4, 6, 8, 9]
    for step, mfu in found.items():
        assert mfu == pytest.approx(rates[step] * flops.of_a_token(final, 32) / 1e9)


def test_flops_of_a_token_of_gpt2() -> None:
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=50_349))
    parameters = 12 * 12 * 768**2 + 50_349 * 768  # matrices; biases and norms are 0.1 % more
    expected = 6 * parameters + 12 * 12 * 768 * 1024
    assert flops.of_a_token(model, 1024) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989e12),
        ("NVIDIA H100 PCIe", "bf16", 756e12),
        ("NVIDIA H200", "bf16", 989e12),
        ("NVIDIA A100-SXM4-80GB", "bf16", 312e12),
        ("NVIDIA A100-PCIE-40GB", "fp32", 19.5e12),
        ("NVIDIA GeForce RTX 4090", "bf16", 165.2e12),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "bf16", None),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bf16", None),
        ("NVIDIA L40", "bf16", None),
        ("cpu", "bf16", None),
    ],
)
def test_the_peak_of_a_device_by_its_name(name: str, precision: str, peak: float | None) -> None:
    assert flops.peak(name, precision) == peak


@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="torch.compile on a CPU needs a C++ compiler"
)
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_compiled_model_learns_and_resumes_like_any_other(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(stages.root / "inductor"))
    # one layer, as compiling is what takes the time
    changes: list[tuple[str, Any]] = [("stages.pretrain.benchmarks", []), ("model.n_layer", 1)]
    plain = stages.make("plain", "pretrain", changes=changes)
    assert plain.run() == 0
    compiled = stages.make("compiled", "pretrain", changes=[*changes, ("stages.pretrain.compile", True)])
    assert compiled.run_until(5, signal.SIGTERM) == 75
    assert any((stages.root / "inductor").iterdir())  # something was compiled
    assert compiled.run() == 0, compiled.journal.records("finished")
    assert [f["step"] for f in compiled.journal.records("started")] == [0, 5]
    for step, loss in values(plain, "loss").items():
        assert values(compiled, "loss")[step] == pytest.approx(loss, rel=1e-4)
    for folder in ("final", "step-00000005"):
        with safe_open(compiled.checkpoints / folder / "model.safetensors", "pt") as file:
            assert not any("_orig_mod" in name for name in file.keys())  # noqa: SIM118 - not a mapping
