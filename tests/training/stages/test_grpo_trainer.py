"""GRPO scores what was sampled: positions counted from the mask, in policy and reference; all is recorded."""

import json
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from trl import GRPOTrainer

from tests.training.conftest import Stage, Stages
from training.architecture import model
from training.engine import stage_helpers
from training.engine.callback import JournalCallback
from training.engine.run_context import Run
from training.process.journal import OF_TOKENS, Journal
from training.recipes.recipe import RunSpec
from training.sampling.decoding import left_padded
from training.stages.grpo.config import GrpoSettings
from training.stages.grpo.trainer import GrpoTrainer
from training.text.tokenizer import pieces

QUESTIONS = [  # of different lengths: padding on the left is where the positions went wrong
    "7 × 8 = ?",
    "What is 3 + 4?",
    "Each box has 6 apples. Anna has 9 boxes and 3 hats. How many apples does Anna have?",
    "5",
]


@pytest.fixture(params=["static_cache", "generate"])
def trainer(
    request: pytest.FixtureRequest, finished: dict[str, Stage], stages: Stages
) -> Iterator[GrpoTrainer]:
    parent = finished["curriculum"].checkpoints / "final"
    made = stages.make(
        "run",
        "grpo",
        parent=parent,
        changes=[("stages.grpo.sampler", request.param), ("stages.grpo.temperature", 0.8)],
    )
    spec = RunSpec.model_validate_json((made.run_dir / "spec.json").read_text())
    journal = Journal(made.run_dir / "journal")
    run = Run.open(made.run_dir, spec, journal)
    assert isinstance(run.spec.settings, GrpoSettings)
    tokenizer = stage_helpers.load_tokenizer(run)
    tokenizer.padding_side = "left"
    prompts = [{"prompt": f"User: {text}\nAssistant:", "reference": "56"} for text in QUESTIONS]
    yield GrpoTrainer(
        run=run,
        settings=run.spec.settings,
        model=model.load(parent),
        tokenizer=tokenizer,
        prompts=Dataset.from_list(prompts),
        seed=0,
        sampler=request.param,
    )
    journal.close()


def test_trainer_and_sampler_agree_on_prompts_of_different_lengths(trainer: GrpoTrainer) -> None:
    ids = trainer.processing_class([row["prompt"] for row in trainer.train_dataset])["input_ids"]
    prompts = [prompt for prompt in ids for _ in range(4)]
    completions, logprobs = trainer._generate_single_turn(prompts, None, {}, 4)
    assert logprobs is not None
    reserved = [1, *range(400 - 45, 400)]  # padding and mul-tokens: the condition is the baseline
    assert not {id_ for row in completions for id_ in row} & set(reserved)
    pad = trainer.processing_class.pad_token_id
    prompt_ids, prompt_mask = left_padded(prompts, pad)
    longest = max(map(len, completions))
    rows = torch.tensor([row + [pad] * (longest - len(row)) for row in completions])
    real = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in completions])
    sampled = torch.tensor([row + [0.0] * (longest - len(row)) for row in logprobs])
    both, mask = torch.cat([prompt_ids, rows], 1), torch.cat([prompt_mask, real], 1).long()

    for scored in (trainer.model, trainer.ref_model):
        with torch.no_grad():
            ours, _, _ = trainer._get_per_token_logps_and_entropies(scored, both, mask, longest)
            theirs, _, _ = GRPOTrainer._get_per_token_logps_and_entropies(
                trainer, scored, both, mask, longest
            )
        assert (ours - sampled)[real].abs().max() < 1e-3
        with torch.no_grad():  # what the tokens never learnt are given stays out of it
            logits = scored(
                input_ids=both, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)
            ).logits[:, -longest - 1 : -1]
        logits[..., reserved] = -torch.inf
        own = (logits / 0.8).log_softmax(-1).gather(2, rows[..., None]).squeeze(2)
        assert (ours - own)[real].abs().max() < 1e-4
        assert (theirs - sampled)[real].abs().max() > 0.1  # without the fix: another text's probabilities


def test_a_condition_that_learns_mul_tokens_may_sample_them(
    finished: dict[str, Stage], stages: Stages
) -> None:
    """What may not be sampled cannot be paid for: in the baseline no rollout holds one, whatever the policy."""
    parent = finished["curriculum"].checkpoints / "final"
    counted = {}
    for condition in ("baseline", "mul_tokens"):
        made = stages.make(
            condition,
            "grpo",
            parent=parent,
            condition=condition,
            changes=[("stages.grpo.temperature", 3.0), ("stages.grpo.prompts", 4)],
        )
        assert made.run() == 0
        rows = [row for rows in made.journal.rollouts().values() for row in rows]
        counted[condition] = sum(row["mul_tokens"] for row in rows)
        assert all(values["logprob_mismatch"] < 1e-4 for values in made.journal.metrics().values())
    assert counted["baseline"] == 0 < counted["mul_tokens"]


def test_a_group_of_equal_rewards_has_advantages_of_exactly_zero(
    finished: dict[str, Stage], stages: Stages
) -> None:
    parent = finished["curriculum"].checkpoints / "final"
    changes = [
        ("stages.grpo.group_size", 8),
        ("stages.grpo.rewards", [{"reward": "short_response", "weight": 0.3}]),
    ]
    made = stages.make("run", "grpo", parent=parent, changes=changes)
    assert made.run() == 0
    rows = [row for rows in made.journal.rollouts().values() for row in rows]
    groups = [rows[start : start + 8] for start in range(0, len(rows), 8)]
    equal = [group for group in groups if len({row["reward"] for row in group}) == 1]
    assert len(equal) > 5
    assert {row["advantage"] for group in equal for row in group} == {0.0}


def test_trls_defaults_that_slow_or_change_training_are_off(trainer: GrpoTrainer) -> None:
    assert not trainer.model.is_gradient_checkpointing
    assert not trainer.args.bf16
    assert (trainer.args.loss_type, trainer.beta, trainer.args.learning_rate) == ("grpo", 0.02, 1e-3)
    assert all(m.p == 0 for m in trainer.model.modules() if isinstance(m, torch.nn.Dropout))


def test_every_rollout_is_recorded_with_its_advantage(finished: dict[str, Stage]) -> None:
    journal = finished["grpo"].journal
    rollouts = journal.rollouts()
    assert sorted(rollouts) == list(range(1, 10))  # 18 prompts × 4 in steps of 8
    numbers = [row["group"] for step in sorted(rollouts) for row in rollouts[step]]
    assert numbers == [i // 4 for i in range(72)]
    for rows in rollouts.values():
        for start in (0, 4):
            group = rows[start : start + 4]
            rewards = torch.tensor([row["reward"] for row in group])
            expected = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
            assert [row["advantage"] for row in group] == pytest.approx(expected.tolist(), abs=1e-3)
            assert len({row["prompt"] for row in group}) == 1
        for row in rows:
            assert row["reward"] == pytest.approx(sum(row["components"].values()))
            assert set(row["components"]) == {"correct", "shows_steps", "repetition"}
            assert 1 <= row["tokens"] <= 12
            assert row["hit_limit"] <= (row["tokens"] == 12)


def test_tokens_count_prompts_and_completions_since_the_stage_began(finished: dict[str, Stage]) -> None:
    journal = finished["grpo"].journal
    metrics, rollouts = journal.metrics(), journal.rollouts()
    done = 0
    for step in sorted(rollouts):
        done += sum(row["tokens"] for row in rollouts[step])
        if step in metrics:
            assert metrics[step]["tokens"] > done, "the prompts are counted too"
    assert metrics[9]["tokens"] > metrics[8]["tokens"] > metrics[2]["tokens"]


def test_the_memory_of_the_process_is_recorded_with_the_other_metrics(finished: dict[str, Stage]) -> None:
    recorded = finished["grpo"].journal.records("metrics")
    taken = [fields["values"]["system/process_memory"] for fields in recorded]
    assert len(taken) == 5
    assert all(0.05 < gib < 64 for gib in taken)
    names = {name for fields in recorded for name in fields["values"] if name.startswith("system/")}
    assert names == {"system/process_memory"}, "there is no GPU here"


def test_metrics_say_what_the_rollouts_say(finished: dict[str, Stage]) -> None:
    journal = finished["grpo"].journal
    metrics, rollouts = journal.metrics(), journal.rollouts()
    assert sorted(metrics) == [2, 4, 6, 8, 9]
    for step, values in metrics.items():
        steps = [step] if step == 9 else [step - 1, step]
        rows = [row for s in steps for row in rollouts[s]]

        def mean(name: str, rows: list = rows) -> float:
            return sum(float(row[name]) for row in rows) / len(rows)

        assert values["reward"] == pytest.approx(mean("reward"), abs=1e-5)
        for metric, field in [
            ("accuracy", "correct"),
            ("repetition", "repeats"),
            ("mul_tokens", "mul_tokens"),
        ]:
            assert values[metric] == pytest.approx(mean(field))
        assert values["completion_length"] == pytest.approx(mean("tokens"))
        assert values["hit_limit"] == pytest.approx(mean("hit_limit"))
        shows = sum(row["components"]["shows_steps"] for row in rows) / len(rows)
        assert values["reward/shows_steps"] == pytest.approx(shows)
        groups = [rows[i : i + 4] for i in range(0, len(rows), 4)]
        equal = sum(len({row["reward"] for row in group}) == 1 for group in groups) / len(groups)
        assert values["groups_without_gradient"] == pytest.approx(equal)
        right = [sum(row["correct"] for row in group) for group in groups]
        assert values["solved/none"] == pytest.approx(sum(one == 0 for one in right) / len(groups))
        assert values["solved/none"] + values["solved/some"] + values["solved/all"] == pytest.approx(1)
        assert values["pass_at/1"] == pytest.approx(values["accuracy"])
        assert values["pass_at/4"] == pytest.approx(sum(one > 0 for one in right) / len(groups))
        assert values["length/min"] == min(row["tokens"] for row in rows)
        assert values["length/max"] == max(row["tokens"] for row in rows)
        asked = [rollouts[s][i]["prompt"] for s in sorted(rollouts) if s <= step for i in (0, 4)]
        assert values["prompts/seen"] == len(set(asked))
        assert values["logprob_mismatch"] < 1e-4
        assert values["logprob_mismatch/kl"] < 1e-6
        # without a second pass over a batch, the policy is the sampler
        for name in ("min", "mean", "max", "ess"):
            assert values[f"importance_ratio/{name}"] == pytest.approx(1, abs=1e-4)
        assert values["grad_clipped"] in (0, 0.5, 1)
        assert {
            "loss",
            "kl",
            "entropy",
            "clip_ratio",
            "reward_std",
            "learning_rate",
            "grad_norm",
            "epoch",
        } <= set(values)


def test_the_document_says_what_each_metric_is(finished: dict[str, Stage]) -> None:
    told = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()
    groups = ("system/", "reward/", "reward_std/", "reward_time/", "pass_at/")
    for fields in finished["grpo"].journal.records("metrics"):
        for name in fields["values"]:
            prefix, _, last = name.rpartition("/")
            kind = f"length/{last.rpartition('_')[0]}_…" if prefix == "length" and "_" in last else name
            short = f"`…/{last}`" in told and f"`{prefix}" in told
            assert f"`{kind}`" in told or short or name.startswith(groups), name


def test_a_first_stage_without_a_parent_gets_a_reference(stages: Stages) -> None:
    changes = [("stages.grpo.after", None), ("stages.grpo.prompts", 4)]
    made = stages.make("run", "grpo", changes=changes)
    assert made.run() == 0
    assert made.journal.metrics()[2]["kl"] >= 0


def test_the_seconds_of_a_step_are_those_of_its_parts(finished: dict[str, Stage]) -> None:
    for fields in finished["grpo"].journal.records("metrics"):
        took = {n.removeprefix("time/"): v for n, v in fields["values"].items() if n.startswith("time/")}
        whole = took.pop("step")
        assert set(took) == {"sample", "grade", "score", "learn", "save", "other"}
        assert sum(took.values()) == pytest.approx(whole)
        assert min(took["sample"], took["grade"], took["score"], took["learn"]) > 0
        per_second = fields["values"]["rollouts_per_second"]
        assert 8 / whole == pytest.approx(per_second, rel=0.5), "8 rollouts a step"
        assert fields["values"]["reward_time/correct"] < took["grade"]


def test_transformers_generate_trains_as_well_and_records_what_trl_does(
    finished: dict[str, Stage], stages: Stages
) -> None:
    parent = finished["curriculum"].checkpoints / "final"
    changes: list[tuple[str, Any]] = [
        ("stages.grpo.sampler", "generate"),
        ("stages.grpo.iterations", 2),
        ("stages.grpo.clip_range", 0.01),
        ("stages.grpo.entropy.bonus", 0.01),
        ("stages.grpo.log_every", 1),
        ("stages.grpo.optimizer.clip", 0.5),
    ]
    made = stages.make("run", "grpo", parent=parent, changes=changes)
    logged = made.run_dir / "logged"

    def tell() -> None:
        original = JournalCallback.on_log

        def on_log(self: Any, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            with logged.open("a") as file:
                file.write(json.dumps([state.global_step, logs]) + "\n")
            original(self, args, state, control, logs=logs, **kwargs)

        JournalCallback.on_log = on_log  # type: ignore[method-assign]

    assert made.run(tell) == 0
    theirs = dict(json.loads(line) for line in logged.read_text().splitlines())
    ours, rollouts = made.journal.metrics(), made.journal.rollouts()
    assert sorted(ours) == list(range(1, 19)) and sorted(rollouts) == list(range(1, 19, 2))
    for step in rollouts:
        for end in ("mean", "min", "max"):
            expected = theirs[step][f"completions/{end}_terminated_length"]  # 0 where none ended
            assert ours[step].get(f"length/terminated_{end}", 0.0) == pytest.approx(expected)
        assert ours[step]["length/max"] == theirs[step]["completions/max_length"]
        spread = torch.tensor([row["reward"] for row in rollouts[step]]).std().item()
        assert ours[step]["reward_std"] == pytest.approx(spread, abs=1e-4)
        assert ours[step]["logprob_mismatch"] < 1e-4
    clipped = 0.0
    for step, values in ours.items():
        assert values["clip_ratio"] == pytest.approx(values["clip_ratio/low"] + values["clip_ratio/high"])
        assert values["clip_ratio/low_min"] <= values["clip_ratio/low"]
        assert values["clip_ratio/high_max"] >= values["clip_ratio/high"]
        bonus = 0.01 * values["entropy"]  # of each pass's mean: about that of the step
        assert values["policy_loss"] - values["loss"] == pytest.approx(bonus, rel=0.2)
        assert values["grad_clipped"] == float(values["grad_norm"] >= 0.5)
        clipped += values["clip_ratio"]
        moved = values["importance_ratio/max"] - values["importance_ratio/min"]
        assert (moved > 1e-3) == (step % 2 == 0), "the second step over a batch is not the sampler's policy"
        assert values["importance_ratio/ess"] <= 1 + 1e-9
    assert clipped > 0


def test_tokens_are_recorded_with_what_sampler_and_trainer_think_of_them(
    finished: dict[str, Stage], stages: Stages
) -> None:
    parent = finished["curriculum"].checkpoints / "final"
    changes = [
        ("stages.grpo.prompts", 4),
        ("stages.grpo.temperature", 0.5),
        ("stages.grpo.mask_truncated", True),
    ]
    recorded = ("stages.grpo.record_logprobs", 1)
    made = stages.make("run", "grpo", parent=parent, changes=[*changes, recorded])
    assert made.run() == 0
    rollouts = made.journal.rollouts()
    assert sorted(rollouts) == [1, 2]
    for rows in rollouts.values():
        for row in rows[:4]:
            assert {len(row[name]) for name in OF_TOKENS} == {row["tokens"]}
            assert all(logprob <= 0 for logprob in row["logprobs"])
            assert row["trainer_logprobs"] == pytest.approx(row["logprobs"], abs=1e-3)
            assert row["learnt"] == [not row["hit_limit"]] * row["tokens"]
            assert "".join(row["pieces"]).removesuffix("<eos>") == row["completion"]
        assert not any(name in row for row in rows[4:] for name in OF_TOKENS)
    assert any(row["hit_limit"] for rows in rollouts.values() for row in rows[:4])
    tokenizer, policy = stage_helpers.load_tokenizer(_opened(made)), model.load(parent)
    scored = 0
    for row in rollouts[1][:4]:  # the policy is still the one that can be loaded
        encoded = [tokenizer.encode(piece, add_special_tokens=False) for piece in row["pieces"]]
        # up to where a character is cut, which cannot be read back
        ids = [id_ for (id_,) in takewhile(lambda one: len(one) == 1, encoded)]
        prompt = tokenizer.encode(row["prompt"])
        with torch.no_grad():
            logits = policy(input_ids=torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
        logits[:, [1, *range(400 - 45, 400)]] = -torch.inf
        own = (logits / 0.5).log_softmax(-1)
        chosen = own.gather(1, torch.tensor(ids)[:, None]).squeeze(1)
        assert row["logprobs"][: len(ids)] == pytest.approx(chosen.tolist(), abs=1e-3)
        entropies = -(own.exp() * own.nan_to_num(neginf=0)).sum(-1)
        assert row["entropies"][: len(ids)] == pytest.approx(entropies.tolist(), abs=1e-3)
        scored += len(ids)
    assert scored >= 8

    plain = stages.make("plain", "grpo", parent=parent, changes=changes)
    assert plain.run() == 0
    weights = [(one.checkpoints / "final" / "model.safetensors").read_bytes() for one in (made, plain)]
    assert weights[0] == weights[1], "what is recorded changes nothing that is learnt"


@pytest.mark.parametrize(("share", "recorded"), [(1.0, True), (0.5, False)])
def test_the_mask_is_recorded_where_no_pass_decides_it(
    finished: dict[str, Stage], stages: Stages, share: float, recorded: bool
) -> None:
    changes = [
        ("stages.grpo.record_logprobs", 2),
        ("stages.grpo.prompts", 2),
        ("stages.grpo.entropy.top_share", share),
    ]
    made = stages.make("run", "grpo", parent=finished["curriculum"].checkpoints / "final", changes=changes)
    assert made.run() == 0
    (rows,) = made.journal.rollouts().values()
    assert len(rows) == 8
    for row in rows:
        assert len(row["entropies"]) == row["tokens"]
        assert row.get("learnt") == ([True] * row["tokens"] if recorded else None)


def test_pieces_of_a_cut_character_join_to_the_text(finished: dict[str, Stage]) -> None:
    tokenizer = stage_helpers.load_tokenizer(_opened(finished["grpo"]))
    text = "7 × 8 = <MUL_7_8_56>, 😀 ist gut\n#### 56"
    ids = tokenizer.encode(text)
    found = pieces(tokenizer, [*ids, tokenizer.eos_token_id])
    assert len(found) == len(ids) + 1
    assert "".join(found) == f"{text}<eos>"
    assert "<MUL_7_8_56>" in found and "😀" in found and "" in found


def _opened(made: Stage) -> Run:
    spec = RunSpec.model_validate_json((made.run_dir / "spec.json").read_text())
    return Run.open(made.run_dir, spec, Journal(made.run_dir / "journal"))
