"""Several completions of a problem beside the greedy one: what is recorded, and that it can be had again."""

from collections import Counter
from typing import Any

import pytest
import torch
from transformers import GPT2LMHeadModel

from tests.training.conftest import Stage, Stages
from training.architecture.model import build
from training.recipes.recipe import RecipeError, build as build_recipe, read as read_recipe
from training.sampling.sampler import Sampler
from training.settings.shared import ModelSettings

PROBES: dict[str, Any] = {
    "benchmark": "arithmetic_probes",
    "problems": 7,
    "max_new_tokens": 4,
    "batch_size": 5,
}
SAMPLED = {**PROBES, "samples": 3, "temperature": 1.3}


def evaluated(stages: Stages, finished: dict[str, Stage], name: str, benchmark: dict[str, Any]) -> Stage:
    stage = stages.make(
        name,
        "again",
        parent=finished["sft"].checkpoints / "final",
        changes=[("stages.again.benchmarks", [benchmark])],
    )
    assert stage.run() == 0, stage.journal.records("finished")
    return stage


def rows_of(stage: Stage) -> list[dict[str, Any]]:
    return [row for record in stage.journal.records("outcomes") for row in record["rows"]]


def test_every_sample_is_an_outcome_beside_the_greedy_one(stages: Stages, finished: dict[str, Stage]) -> None:
    plain, sampled = (
        evaluated(stages, finished, name, one) for name, one in (("plain", PROBES), ("sampled", SAMPLED))
    )
    rows = rows_of(sampled)
    greedy, drawn = rows[:7], rows[7:]
    assert greedy == rows_of(plain)  # sampling changes nothing about what counts
    assert Counter(row["problem"] for row in drawn) == dict.fromkeys((row["problem"] for row in greedy), 3)
    for problem in greedy:
        mine = [row for row in drawn if row["problem"] == problem["problem"]]
        assert [row["sample"] for row in mine] == [1, 2, 3]
        assert {(row["prompt"], row["reference"]) for row in mine} == {
            (problem["prompt"], problem["reference"])
        }
    assert len({row["completion"] for row in drawn}) > 3
    assert all(row["tokens"] <= 4 and row["steps_written"] >= 0 for row in drawn)

    (first,), (second,) = (one.journal.records("evaluation") for one in (plain, sampled))
    assert second["settings"] == {**first["settings"], "samples": 3, "temperature": 1.3}
    assert sampled.journal.records("progress")[-1] == {
        "done": 21,
        "total": 21,
        "unit": "samples",
        "phase": "arithmetic_probes",
    }


def test_the_same_samples_are_drawn_again_and_others_with_another_seed(
    stages: Stages, finished: dict[str, Stage]
) -> None:
    once = evaluated(stages, finished, "once", SAMPLED)
    assert once.run() == 0  # as after an interruption: the benchmark begins anew
    rows = rows_of(once)
    assert rows[:28] == rows[28:]
    other = stages.make(
        "other",
        "again",
        parent=finished["sft"].checkpoints / "final",
        changes=[("stages.again.benchmarks", [SAMPLED]), ("seeds", [1])],
    )
    assert other.run() == 0
    assert rows_of(other)[:7] == rows[:7]
    assert rows_of(other)[7:] != rows[7:28]


def test_among_given_endings_there_is_nothing_to_sample() -> None:
    recipe = read_recipe("smoke")
    recipe["benchmarks"].append({"benchmark": "hellaswag", "max_new_tokens": 1, "samples": 4})
    with pytest.raises(RecipeError, match=r"benchmarks\.hellaswag\.samples: hellaswag has the model choose"):
        build_recipe(recipe)


@pytest.fixture(scope="module")
def network() -> GPT2LMHeadModel:
    settings = ModelSettings(n_layer=1, n_head=2, n_embd=16, n_positions=32, initial_std=0.3)
    return build(settings, 50, eos_id=0, pad_id=1, seed=0).eval()


@pytest.mark.parametrize("batch_size", [2, 4, 13, 100])
def test_batches_hold_every_sample_of_every_prompt(
    network: GPT2LMHeadModel, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [[2 + i] * (1 + i % 4) for i in range(7)]
    sampler, rows, decode = Sampler(network, eos_id=0, pad_id=1), [], Sampler._decode

    def counted(self: Sampler, prompts: list[list[int]], group_size: int, *rest: Any) -> Any:
        rows.append(len(prompts) * group_size)
        return decode(self, prompts, group_size, *rest)

    monkeypatch.setattr(Sampler, "_decode", counted)

    def drawn() -> dict[int, list[list[int]]]:
        batches = sampler.sample_batches(
            prompts,
            samples=5,
            temperature=1.0,
            max_new_tokens=6,
            batch_size=batch_size,
            generator=torch.Generator().manual_seed(3),
        )
        return {i: [one.ids for one in samples] for batch in batches for i, samples in batch.items()}

    found = drawn()
    assert sorted(found) == list(range(7))
    assert {len(samples) for samples in found.values()} == {5}
    assert max(rows) <= batch_size
    assert len({tuple(ids) for samples in found.values() for ids in samples}) > 7
    assert drawn() == found
