"""Evaluations while a stage trains: on problems that nobody else asks or learns, and without a trace in the checkpoint."""

import hashlib
import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import KINDS, TINY, Stage, Stages
from training.architecture import model
from training.benchmarks import BENCHMARKS
from training.data import pretokenized
from training.data.example import prompt_for
from training.data.sources.gsm8k import Gsm8kSource, read
from training.engine import stage_helpers
from training.engine.evaluation import Validation, held_out
from training.engine.run_context import Run
from training.process.journal import Journal
from training.recipes import recipe as recipes
from training.recipes.recipe import RunSpec
from training.recipes.validation import SPLITS
from training.settings.errors import RecipeError

ROWS = 2_000
SPLIT = "validation/one_step_multiplication"
GSM8K: list[tuple[str, Any]] = [
    ("stages.sft.after", None),
    ("stages.sft.data", [{"source": "gsm8k"}]),
    ("stages.sft.evaluate_every", 4),
    ("stages.sft.evaluate_benchmark", "gsm8k"),
]


def parent_of(finished: dict[str, Stage], kind: str) -> Path | None:
    before = KINDS.index(kind) - 1
    return finished[KINDS[before]].checkpoints / "final" if before >= 0 else None


def weights(stage: Stage) -> str:
    return hashlib.sha256((stage.checkpoints / "final" / "model.safetensors").read_bytes()).hexdigest()


def validated(stage: Stage) -> dict[int, dict[str, float]]:
    """Step → what the validation split said."""
    found: dict[int, dict[str, float]] = {}
    for fields in stage.journal.records("metrics"):
        values = {name: value for name, value in fields["values"].items() if name.startswith(SPLIT)}
        if values:
            found[fields["step"]] = values
    return found


def learnt(stage: Stage) -> dict[int, dict[str, float]]:
    """What the journal says of the training alone."""
    found: dict[int, dict[str, float]] = {}
    for fields in stage.journal.records("metrics"):
        if not any(name.startswith("validation/") for name in fields["values"]):
            found[fields["step"]] = stage.journal.only_learnt(fields["values"])
    return found


def opened(stage: Stage) -> Run:
    spec = RunSpec.model_validate_json((stage.run_dir / "spec.json").read_text())
    return Run.open(stage.run_dir, spec, Journal(stage.run_dir / "journal"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_no_trace_in_what_is_learnt_and_goes_on_after_a_kill(
    kind: str, finished: dict[str, Stage], stages: Stages
) -> None:
    changes = [(f"stages.{kind}.evaluate_every", 2), (f"stages.{kind}.evaluate_problems", 7)]
    stage = stages.make("run", kind, parent=parent_of(finished, kind), changes=changes)
    assert stage.run_until(5, signal.SIGKILL) == -signal.SIGKILL
    assert stage.run() == 0
    assert weights(stage) == weights(finished[kind])
    assert learnt(stage) == finished[kind].journal.metrics()
    last = max(finished[kind].journal.metrics())
    found = validated(stage)
    assert sorted(found) == sorted({*range(2, last + 1, 2), last})
    assert {values[f"{SPLIT}/problems"] for values in found.values()} == {7}


@pytest.mark.slow
def test_dropout_goes_on_as_it_would_have(stages: Stages) -> None:
    changes = [("model.dropout", 0.3)]
    plain = stages.make("plain", "pretrain", changes=changes)
    every = [("stages.pretrain.evaluate_every", 1), ("stages.pretrain.evaluate_problems", 2)]
    stage = stages.make("run", "pretrain", changes=[*changes, *every])
    assert (plain.run(), stage.run()) == (0, 0)
    assert len(validated(stage)) == 9
    assert weights(stage) == weights(plain)


@pytest.mark.slow
def test_it_says_what_a_benchmark_would_say_of_the_split(adds: Path, stages: Stages) -> None:
    """By the policy that adds right at times, and graded anew from what transformers generates."""
    changes = [("stages.grpo.evaluate_every", 100), ("stages.grpo.evaluate_benchmark", "arithmetic_probes")]
    made = stages.make("run", "grpo", parent=adds, changes=changes)
    run = opened(made)
    policy, tokens = model.load(adds), stage_helpers.load_tokenizer(run)
    validation = Validation.of(run)
    assert validation is not None
    benchmark = BENCHMARKS["arithmetic_probes"]
    problems = benchmark.validated(None, data_dir=run.data_dir)
    right = 0
    for problem in problems:
        ids = tokens(problem.prompt, return_tensors="pt")["input_ids"]
        out = policy.generate(
            ids,
            max_new_tokens=policy.config.n_positions - ids.shape[1],
            do_sample=False,
            eos_token_id=tokens.eos_token_id,
            pad_token_id=tokens.eos_token_id,
        )
        text = tokens.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
        right += benchmark.grade(problem, text).correct
    policy.train()
    found = validation.measure(policy, tokens)
    assert found["validation/arithmetic_probes/accuracy"] == pytest.approx(right / len(problems))
    assert policy.training, "it is put back as it was"


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_a_split_shares_no_problem_with_its_benchmark(name: str) -> None:
    benchmark, data_dir = BENCHMARKS[name], Path(os.environ["MULBERRY_DATA"])
    split, asked = benchmark.validated(None, data_dir=data_dir), benchmark.asked(None, data_dir=data_dir)
    assert len(split) >= 5
    assert not {one.prompt for one in split} & {one.prompt for one in asked}
    assert benchmark.validated(3, data_dir=data_dir) == split[:3]
    assert all(benchmark.grade(one, f"so #### {one.reference}").correct for one in split)


def test_what_is_asked_is_not_learnt_where_a_source_has_it(stages: Stages) -> None:
    run = opened(stages.make("run", "sft", changes=GSM8K))
    left_out = held_out(run)
    rows = {prompt_for(question) for question, _ in read("train", data_dir=run.data_dir)}
    assert left_out and left_out < rows
    drawn = stage_helpers.examples(run, run.spec.settings.mixtures()["data"])
    kept = {
        one.prompt for one in itertools.islice(drawn, len(rows) - len(left_out))
    }  # one pass over the others
    assert kept == rows - left_out
    plain = opened(stages.make("plain", "sft", changes=GSM8K[:2]))
    assert held_out(plain) == frozenset()


def test_pre_training_passes_over_them_in_shards_of_their_own(stages: Stages, tmp_path: Path) -> None:
    source: Any = Gsm8kSource(source="gsm8k")
    run = opened(stages.make("run", "sft", changes=GSM8K))
    tokens = stage_helpers.load_tokenizer(run)
    found = {}
    for left_out in (frozenset[str](), held_out(run)):
        making = pretokenized.Making([source], run.data, 1, run.data_dir, tokens, run.spec.form, 0, left_out)
        rows = pretokenized.rows(tmp_path, making, length=64, count=ROWS, tick=lambda done, total: None)
        text = tokens.decode([id_ for row in range(ROWS) for id_ in rows.training[row].tolist()])
        questions = [prompt.split("\n")[0].removeprefix("User: ") for prompt in held_out(run)]
        found[rows.key] = sum(question in text for question in questions)
    assert len(found) == 2
    before, after = found.values()
    assert before > 0 == after


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("stages.grpo.evaluate_benchmark", "svamp")], "svamp has no validation split; take one of"),
        (
            [("stages.grpo.evaluate_benchmark", "gsm9k")],
            "there is no benchmark 'gsm9k'; did you mean 'gsm8k'?",
        ),
        (
            [("stages.sft.evaluate_every", 5), ("stages.sft.benchmarks", [{"benchmark": "svamp"}])],
            "no benchmark of the stage has a validation split",
        ),
    ],
)
def test_a_recipe_that_cannot_be_evaluated_is_refused(changes: list[tuple[str, Any]], says: str) -> None:
    with pytest.raises(RecipeError) as refused:
        recipes.build(TINY, changes)
    ((path, text),) = refused.value.problems
    assert path.endswith(".evaluate_benchmark") and says in text
