"""What a model has never learnt: padding and unused entries always, mul-tokens unless its lineage had injection."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Stage, Stages
from training.architecture import model
from training.engine import stage_helpers
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes.recipe import RunSpec
from training.sampling import learnt_entries
from training.settings.shared import TokenizerSettings
from training.text import tokenizer
from training.text.reserved import never_learnt

MUL_TOKENS = list(range(400 - 45, 400))


@pytest.fixture(scope="module")
def with_mul_tokens(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Stage:
    made = Stages(tmp_path_factory.mktemp("injected"), data_dir).make(
        "pretrain", "pretrain", condition="mul_tokens"
    )
    assert made.run() == 0
    return made


def never(stages: Stages, stage: str, **where: Any) -> list[int]:
    """What a stage's sampler would never choose."""
    made = stages.make("of", stage, **where)
    journal = Journal(made.run_dir / "journal")
    run = Run.open(
        made.run_dir, RunSpec.model_validate_json((made.run_dir / "spec.json").read_text()), journal
    )
    tokens = stage_helpers.load_tokenizer(run)
    found = learnt_entries.never_learnt(stage_helpers.load_model(run, tokens), tokens)
    journal.close()
    return found


def test_gpt2s_unused_entries_and_padding_are_never_learnt(data_dir: Path) -> None:
    tokens = tokenizer.load(TokenizerSettings(kind="gpt2"), lambda: iter(()), data_dir)
    assert never_learnt(tokens, 50_349, learnt_mul_tokens=True) == list(range(50_257, 50_304))
    assert never_learnt(tokens, 50_349, learnt_mul_tokens=False) == list(range(50_257, 50_349))
    assert never_learnt(tokens, 50_257, learnt_mul_tokens=False) == []  # a model that has none of them
    assert never_learnt(tokens, 50_360, learnt_mul_tokens=True)[-11:] == list(range(50_349, 50_360))


def test_only_conditions_with_injection_learn_mul_tokens(stages: Stages, finished: dict[str, Stage]) -> None:
    parent = finished["pretrain"].checkpoints / "final"
    assert json.loads((parent / "config.json").read_text())["learnt_mul_tokens"] is False
    assert never(stages, "sft", parent=parent) == [1, *MUL_TOKENS]


def test_what_an_earlier_stage_or_the_start_has_learnt_stays_learnt(
    stages: Stages, with_mul_tokens: Stage
) -> None:
    start = with_mul_tokens.checkpoints / "final"
    changes = [("model.start_from", str(start))]
    assert never(stages, "pretrain", changes=changes) == [1]  # the baseline, on a model that has learnt them
    (stages.root / "of").rename(stages.root / "before")
    assert never(stages, "sft", parent=start) == [1]  # as a fork may have it


def test_a_start_that_is_silent_counts_as_having_learnt_the_entries_that_it_has(
    stages: Stages, finished: dict[str, Stage]
) -> None:
    parent = finished["pretrain"].checkpoints / "final"
    silent = model.load(parent)
    del silent.config.learnt_mul_tokens
    start = stages.root / "silent"
    model.save(silent, tokenizer.from_checkpoint(parent), start)
    assert "learnt_mul_tokens" not in (start / "config.json").read_text()
    assert never(stages, "pretrain", changes=[("model.start_from", str(start))]) == [1]
