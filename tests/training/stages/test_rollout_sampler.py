"""Who samples GRPO's rollouts: what is set, or what can; vLLM is refused where it cannot, before anything trains."""

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.training.conftest import Stage, Stages
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes.recipe import RunSpec
from training.stages.grpo.rollout_sampler import choose
from training.stages.grpo.trainer import arguments


@pytest.fixture
def vllm_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site" / "vllm").mkdir(parents=True)
    (tmp_path / "site" / "vllm" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    sys.modules.pop("vllm", None)


def test_auto_takes_vllm_where_it_can(vllm_installed: None) -> None:
    assert choose("auto", device="cuda:0", variant=False)[0] == "vllm"
    name, why = choose("auto", device="cpu", variant=False)
    assert (name, "needs a GPU and this run is on cpu" in why) == ("static_cache", True)
    name, why = choose("auto", device="cuda:0", variant=True)
    assert (name, "no code for this model's positions or memory" in why) == ("static_cache", True)
    assert choose("static_cache", device="cuda:0", variant=False)[0] == "static_cache"
    assert choose("generate", device="cuda:0", variant=True)[0] == "generate"
    with pytest.raises(ValueError, match="vllm cannot be used: it needs a GPU"):
        choose("vllm", device="cpu", variant=False)
    with pytest.raises(ValueError, match="no code for this model's positions or memory; choose static_cache"):
        choose("vllm", device="cuda:1", variant=True)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_auto_samples_itself() -> None:
    name, why = choose("auto", device="cuda:0", variant=False)
    assert (name, "it is not installed (pip install 'trl[vllm]')" in why) == ("static_cache", True)
    with pytest.raises(ValueError, match="vllm cannot be used: it is not installed"):
        choose("vllm", device="cuda:0", variant=False)


def test_vllm_that_cannot_run_ends_the_stage_before_it_trains(
    finished: dict[str, Stage], stages: Stages
) -> None:
    parent = finished["curriculum"].checkpoints / "final"
    made = stages.make("run", "grpo", parent=parent, changes=[("stages.grpo.sampler", "vllm")])
    assert made.run() == 1
    outcome = made.journal.records("finished")[0]
    assert (outcome["status"], outcome["reason"]) == ("failed", "bad_setting")
    assert outcome["hint"].startswith("sampler vllm cannot be used: it needs a GPU and this run is on cpu")
    assert not made.journal.records("rollouts")


def test_the_log_says_who_samples_and_why(finished: dict[str, Stage]) -> None:
    lines = [fields["text"] for fields in finished["grpo"].journal.records("log")]
    assert any(
        line.startswith("rollouts are sampled by static_cache (sampler auto: not vllm") for line in lines
    )


def test_vllm_gets_the_settings_of_the_stage(finished: dict[str, Stage], stages: Stages) -> None:
    parent = finished["curriculum"].checkpoints / "final"
    changes = [
        ("stages.grpo.vllm_memory", 0.4),
        ("stages.grpo.sampling", {"top_k": 5, "repetition_penalty": 1.2}),
    ]
    made = stages.make("run", "grpo", parent=parent, changes=changes)
    journal = Journal(made.run_dir / "journal")
    run = Run.open(
        made.run_dir, RunSpec.model_validate_json((made.run_dir / "spec.json").read_text()), journal
    )
    given = arguments(run, run.spec.settings, "vllm")  # type: ignore[arg-type]
    journal.close()
    assert (given["use_vllm"], given["vllm_gpu_memory_utilization"]) == (True, 0.4)
    assert (given["top_k"], given["repetition_penalty"], given["min_p"]) == (5, 1.2, None)
