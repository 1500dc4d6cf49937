"""What a GRPO step records, against independent counts: of rollouts by pandas, of passes by numpy, of groups by enumeration."""

import itertools
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from training.engine.callback import Window
from training.engine.stopwatch import Stopwatch, timed
from training.stages.grpo import metrics
from training.stages.grpo.step_sums import StepSums
from webapp.statistics import proportions

GROUP = 6


def rollouts(count: int, seed: int) -> list[Any]:
    chance = random.Random(seed)
    rows = []
    for number in range(count * GROUP):
        correct = number < GROUP or (number >= 2 * GROUP and chance.random() < 0.4)  # all, none, then some
        rows.append(
            {
                "group": number // GROUP,
                "tokens": chance.randint(3, 40),
                "correct": correct,
                "repeats": chance.random() < 0.2,
                "mul_tokens": chance.randint(0, 3),
                "hit_limit": chance.random() < 0.3,
                "advantage": 0.0 if number < 2 * GROUP else chance.choice([-1.2, -0.4, 0.9]),
                "components": {"correct": float(correct), "brevity": -0.5 * (chance.random() < 0.5)},
            }
        )
    return rows


def test_metrics_of_rollouts_are_what_pandas_counts() -> None:
    rows = rollouts(9, seed=1)
    found = metrics.of_rollouts(rows, GROUP)
    table = pd.DataFrame(rows)
    right = table.groupby("group")["correct"].sum()
    assert found["solved/all"] == pytest.approx((right == GROUP).mean())
    assert found["solved/none"] == pytest.approx((right == 0).mean())
    assert found["solved/some"] == pytest.approx(1 - found["solved/all"] - found["solved/none"])
    kinds = {
        "terminated": table[~table["hit_limit"]],
        "right": table[table["correct"]],
        "wrong": table[~table["correct"]],
    }
    for kind, part in kinds.items():
        for end in ("mean", "min", "max"):
            assert found[f"length/{kind}_{end}"] == pytest.approx(part["tokens"].agg(end)), (kind, end)
    assert (found["length/min"], found["length/max"]) == (table["tokens"].min(), table["tokens"].max())
    above, below = table[table["advantage"] > 0], table[table["advantage"] < 0]
    assert found["advantage/positive_mean"] == pytest.approx(above["advantage"].mean())
    assert found["advantage/negative_mean"] == pytest.approx(below["advantage"].mean())
    tokens = above["tokens"].sum() + below["tokens"].sum()
    assert found["advantage/positive_tokens"] == pytest.approx(above["tokens"].sum() / tokens)
    assert found["advantage/std"] == pytest.approx(table["advantage"].std(ddof=0))
    for name in ("correct", "brevity"):
        paid = pd.Series([row["components"][name] for row in rows])
        assert found[f"reward/{name}"] == pytest.approx(paid.mean())
        assert found[f"reward_std/{name}"] == pytest.approx(paid.std(ddof=0))


def test_of_a_kind_that_a_step_has_none_of_nothing_is_recorded() -> None:
    rows = [{**row, "correct": False, "hit_limit": True, "advantage": 0.0} for row in rollouts(2, seed=2)]
    found = metrics.of_rollouts(rows, GROUP)
    assert not [name for name in found if "terminated" in name or "right" in name]
    assert not {"advantage/positive_mean", "advantage/negative_mean", "advantage/positive_tokens"} & set(
        found
    )
    assert found["solved/none"] == 1 and found["pass_at/6"] == 0


@pytest.mark.parametrize("size", [2, 6, 8])
def test_pass_at_k_is_the_share_of_all_subsets_with_a_right_one(size: int) -> None:
    assert metrics.ks(size)[0] == 1 and metrics.ks(size)[-1] == size
    for k, right in itertools.product(metrics.ks(size), range(size + 1)):
        subsets = list(itertools.combinations([True] * right + [False] * (size - right), k))
        assert metrics.pass_at(k, size, right) == pytest.approx(np.mean([any(one) for one in subsets]))
        assert metrics.pass_at(k, size, right) == pytest.approx(float(proportions.pass_at_k(size, right, k)))


def test_prompts_are_counted_in_the_order_in_which_they_are_asked() -> None:
    counts = metrics.PromptCounts(["a", "b", "a", "c", "a", "b"])
    rows: Any = [{"group": group} for group in (2, 2, 3, 3)]
    assert counts.of(rows) == {"prompts/seen": 3, "prompts/repeats": 0.5}
    rows = [{"group": group} for group in (4, 5)]
    assert counts.of(rows) == {"prompts/seen": 3, "prompts/repeats": 1.5}


def test_ratios_of_several_passes_are_those_of_all_their_tokens() -> None:
    chance = np.random.default_rng(0)
    sums = StepSums()
    kept, unmoved = [], []
    for number in range(4):
        sampled = chance.normal(-2, 1, (3, 7))
        scored = sampled + chance.normal(0, 0.05 * (number + 1), (3, 7))
        mask = chance.random((3, 7)) < 0.8
        mask[0, 0] = True
        if number == 1:
            sampled[0, 0] = np.nan  # what vLLM gave no probability
        sums.compare(torch.tensor(scored), torch.tensor(sampled), torch.tensor(mask), unmoved=number < 2)
        apart = (scored - sampled)[mask]
        kept.append(apart[~np.isnan(apart)])
        if number < 2:
            unmoved.append(kept[-1])
    found = sums.drain()
    every, first = np.concatenate(kept), np.concatenate(unmoved)
    ratio = np.exp(every)
    expected = {
        "importance_ratio/min": ratio.min(),
        "importance_ratio/mean": ratio.mean(),
        "importance_ratio/max": ratio.max(),
        "importance_ratio/ess": 1 / np.mean((ratio / ratio.mean()) ** 2),
        "logprob_mismatch": np.abs(first).mean(),
        "logprob_mismatch/max": np.abs(first).max(),
        "logprob_mismatch/kl": (np.exp(first) - first - 1).mean(),
    }
    assert found == {name: pytest.approx(value) for name, value in expected.items()}
    assert sums.drain() == {}


def test_the_loss_without_the_bonus_adds_up_as_the_loss_does() -> None:
    for loss_type, expected in (("grpo", 0.3), ("dapo", 0.6)):
        sums = StepSums()
        for value in (0.2, 0.4):
            sums.take({"policy_loss": [value]}, tokens=9, clips=9, passes=2, loss_type=loss_type)
        assert sums.drain() == {"policy_loss": pytest.approx(expected)}


def test_a_window_keeps_the_ends_of_its_steps_and_the_mean_of_the_rest() -> None:
    window = Window()
    for low, mean, high in ((3.0, 5.0, 9.0), (2.0, 6.0, 7.0)):
        window.add({"length/min": low, "length/terminated_mean": mean, "length/terminated_max": high})
    again = Window()
    again.load(window.state())
    again.add({"length/min": 4.0, "prompts/seen": 8.0})
    assert again.drain() == {
        "length/min": 2.0,
        "length/terminated_mean": 5.5,
        "length/terminated_max": 9.0,
        "prompts/seen": 8.0,
    }


def test_parts_within_parts_add_up_to_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    stopwatch = Stopwatch(torch.device("cpu"))

    class Grading:
        def __init__(self) -> None:
            self.stopwatch = stopwatch

        @timed("grade")
        def grade(self) -> str:
            return "graded"

    stopwatch.begin("learn")
    assert Grading().grade() == "graded"
    with pytest.raises(KeyError), stopwatch.part("sample"):
        raise KeyError
    stopwatch.end()
    assert stopwatch.lap() == {"other": 2.0, "learn": 3.0, "grade": 1.0, "sample": 1.0}
    assert stopwatch.lap() == {"other": 1.0}
