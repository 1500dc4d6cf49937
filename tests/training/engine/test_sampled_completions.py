"""Distillation and rejection sampling as stages: what is kept and learnt, clear ends, and resuming anywhere."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Stage, Stages
from tests.training.endpoint import Endpoint, completion, serving, solution
from tests.training.solved import RECIPE, hint, kept, points, rollouts, weights
from training.data import encoding
from training.engine.sampled_completions import Round
from training.process.journal import PREPARING
from training.text import mul_tokens, tokenizer

pytestmark = pytest.mark.slow

PRODUCTS = {"source": "drills", "tiers": ["one_digit_products"]}
KEY, SECRET = "MULBERRY_KEY_TEST", "sk-not-for-others"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


def at_endpoint(endpoint: Endpoint, **changes: Any) -> list[tuple[str, Any]]:
    settings = {"base_url": endpoint.address, "model": "m", "first_wait": 0.01, "tries": 2, **changes}
    return [("stages.distill.teacher", {"kind": "endpoint", "endpoint": settings})]


def test_the_right_different_and_whole_responses_are_learnt(
    endpoint: Endpoint, stages: Stages, adds: Path
) -> None:
    by_sample = {0: "right", 1: "right", 2: "other", 3: "wrong", 4: "cut"}
    asked: dict[str, int] = {}

    def answer(number: int, question: str) -> Any:
        place = asked[question] = asked.get(question, -1) + 1
        right = solution(question)
        match by_sample[place]:
            case "right":
                return completion(f"\n{right}  ")
            case "other":
                return completion(f"We add.\n{right}")
            case "wrong":
                return completion(solution(question, right=False))
            case _:
                return completion(f"It is {right}", "length")

    endpoint.answer = answer
    changes = [
        *at_endpoint(endpoint, concurrency=1, price_out=1e5),
        ("stages.distill.samples", 5),
        ("stages.distill.keep", 3),
    ]
    stage = stages.make("run", "distill", parent=adds, changes=changes, data=RECIPE)
    assert stage.run() == 0, hint(stage)
    rows = rollouts(stage)
    assert len(rows) == 150 and {row["group"] for row in rows} == set(range(30))
    learnt = {0: True, 1: False, 2: True, 3: False, 4: False}  # the second is the first again
    for place, row in enumerate(rows):
        assert row["correct"] == (by_sample[place % 5] != "wrong")
        assert row["components"] == {"kept": row["reward"]} == {"kept": float(learnt[place % 5])}
        assert row["hit_limit"] == (by_sample[place % 5] == "cut")
    question = rows[0]["prompt"].removeprefix("User: ").removesuffix("\nAssistant:")
    assert kept(stage)[:2] == [
        [rows[0]["prompt"], f" {solution(question)}"],
        [rows[0]["prompt"], f" We add.\n{solution(question)}"],
    ]
    found = points(stage)
    assert (found["problems", 1], found["samples", 1], found["accuracy", 1]) == (30, 150, 0.8)
    assert (found["kept", 1], found["cost", 1]) == (0.4, 150.0)
    assert found["loss", 30] < found["loss", 1]  # 60 examples in batches of 2
    assert stage.journal.records("progress")[0] == {
        "done": 20,
        "total": 30,
        "unit": "problems",
        "phase": "sampling",
    }


def test_a_local_teachers_second_run_samples_nothing(stages: Stages, adds: Path) -> None:
    first = stages.make("first", "distill", parent=adds, data=RECIPE)
    assert first.run() == 0, hint(first)
    again = stages.make("again", "distill", parent=adds, data=RECIPE)
    assert again.run() == 0, hint(again)
    hits = [run.journal.records("metrics")[0]["values"]["cache_hits"] for run in (first, again)]
    assert hits == [0.0, 1.0]
    assert (points(again), rollouts(again)) == (points(first), rollouts(first))
    assert weights(again) == weights(first)

    elsewhere = shutil.copytree(adds, stages.root / "elsewhere")  # the same weights are the same teacher
    named = [("stages.distill.teacher.checkpoint", str(elsewhere)), ("stages.distill.after", None)]
    scratch = stages.make("scratch", "distill", changes=named, data=RECIPE)
    assert scratch.run() == 0, hint(scratch)
    assert scratch.journal.records("metrics")[0]["values"]["cache_hits"] == 1.0
    assert kept(scratch) == kept(first)


@pytest.mark.parametrize("format_", ["plain", "scratchpad"])
def test_solutions_are_written_as_the_condition_has_it(
    format_: str, endpoint: Endpoint, stages: Stages, adds: Path
) -> None:
    endpoint.answer = lambda number, question: completion(solution(question))
    changes = [*at_endpoint(endpoint), ("stages.distill.data", [PRODUCTS]), ("text.format", format_)]
    for condition in ("baseline", "mul_tokens"):
        stage = stages.make(
            condition, "distill", parent=adds, condition=condition, changes=changes, data=RECIPE
        )
        assert stage.run() == 0, hint(stage)
        texts = [text for _, text in kept(stage)]
        assert all(bool(mul_tokens.TOKEN.search(text)) == (condition == "mul_tokens") for text in texts)
        assert all(text.startswith(" [[ ") == (format_ == "scratchpad") for text in texts)
    asked = len({row["prompt"] for row in rollouts(stage)}) * 3
    assert endpoint.requests == asked, "the second condition paid again"


@pytest.mark.parametrize("condition", ["baseline", "mul_tokens"])
def test_names_of_tokens_that_a_teacher_writes_are_learnt_as_text(
    condition: str, endpoint: Endpoint, stages: Stages, adds: Path
) -> None:
    said = "As <eos> and <MUL_2_3_6> say:\n"
    endpoint.answer = lambda number, question: completion(said + solution(question))
    changes = [*at_endpoint(endpoint), ("stages.distill.problems", 10)]
    stage = stages.make("run", "distill", parent=adds, condition=condition, changes=changes, data=RECIPE)
    assert stage.run() == 0, hint(stage)
    texts = [text for _, text in kept(stage)]
    assert texts and all(text.startswith(f" {said}") for text in texts), "in both conditions"
    tokens = tokenizer.from_checkpoint(stage.checkpoints / "final")
    for example in Round.read(stage.checkpoints / "round-1.json").kept:
        ids, _ = encoding.encode(tokens, example)
        assert ids.count(tokens.eos_token_id) == 1, "a false end"
        assert not set(ids) & set(tokenizer.mul_token_ids(tokens))


@pytest.mark.parametrize(
    ("broken", "texts"),
    [
        ((429, {"Retry-After": "9999"}, "{}"), ["limits requests", "lower concurrency"]),
        ((401, {}, json.dumps({"error": {"message": SECRET}})), ["rejects the key", KEY]),
    ],
)
def test_a_broken_endpoint_fails_the_stage_which_goes_on_when_it_is_fixed(
    broken: Any, texts: list[str], endpoint: Endpoint, stages: Stages, adds: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    changes = [*at_endpoint(endpoint, key_variable=KEY), ("stages.distill.data", [PRODUCTS])]
    whole = stages.make("whole", "distill", parent=adds, changes=changes, data=RECIPE)
    good = endpoint.answer = lambda number, question: completion(solution(question))
    assert whole.run() == 0, hint(whole)
    asked = endpoint.requests

    endpoint.answer = lambda number, question: broken if number >= asked + 10 else good(number, question)
    stages.root.joinpath("cache").rename(stages.root / "another cache")
    stage = stages.make("run", "distill", parent=adds, changes=changes, data=RECIPE)
    assert stage.run() == 1
    assert (
        stage.journal.records("finished")[-1]["reason"] == "bad_setting"
    )  # so it is not tried again by itself
    assert all(text in hint(stage) for text in [*texts, "are kept and not asked again"])
    failed = endpoint.requests - asked - 10

    endpoint.answer = good
    assert stage.run() == 0
    assert endpoint.requests == 2 * asked + failed, "an answer was paid twice, or never"
    assert (points(stage), rollouts(stage)) == (points(whole), rollouts(whole))
    assert weights(stage) == weights(whole)
    written = [path for path in stages.root.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


def test_too_little_that_is_right_fails_the_stage(endpoint: Endpoint, stages: Stages, adds: Path) -> None:
    endpoint.answer = lambda number, question: completion(solution(question, right=number == 0))
    changes = [*at_endpoint(endpoint), ("stages.distill.least_kept", 2)]
    stage = stages.make("run", "distill", parent=adds, changes=changes, data=RECIPE)
    assert stage.run() == 1
    assert "1 of 90 completions are right, 1 were kept, fewer than least_kept 2; ask a better" in hint(stage)


def test_a_spent_budget_ends_the_asking_and_what_is_there_is_learnt(
    endpoint: Endpoint, stages: Stages, adds: Path
) -> None:
    endpoint.answer = lambda number, question: completion(solution(question))
    changes = at_endpoint(endpoint, budget_tokens=2_000, when_spent="train")
    stage = stages.make("run", "distill", parent=adds, changes=changes, data=RECIPE)
    assert stage.run() == 0, hint(stage)
    reached = points(stage)["problems", 1]
    assert 0 < reached < 30 and endpoint.requests == 3 * reached
    warnings = [line["text"] for line in stage.journal.records("log") if line["level"] == "warning"]
    assert warnings == [f"the budget is spent: {reached:.0f} of 30 problems were asked"]


@pytest.fixture(scope="module")
def uninterrupted(adds: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Two rounds of rejection sampling without a break."""
    made = Stages(tmp_path_factory.mktemp("own"), Path(os.environ["MULBERRY_DATA"]))
    stage = made.make("own", "own", parent=adds, data=RECIPE)
    assert stage.run() == 0, stage.journal.records("finished")
    return stage


def first_round(stage: Stage) -> int:
    """Steps of the first round."""
    found: int = json.loads((stage.checkpoints / "round-2.json").read_text())["step"]
    return found


def test_the_second_round_samples_from_what_the_first_has_learnt(uninterrupted: Stage) -> None:
    rows, end = rollouts(uninterrupted), first_round(uninterrupted)
    assert [row["group"] for row in rows[::3]] == list(range(60))
    steps = sorted({step for name, step in points(uninterrupted) if name == "loss"})
    assert steps == list(range(1, len(steps) + 1)) and end < len(steps)
    assert {step for name, step in points(uninterrupted) if name == "kept"} == {1, end + 1}
    phases = [p["phase"] for p in uninterrupted.journal.records("progress") if p["phase"] != PREPARING]
    assert list(dict.fromkeys(phases)) == ["sampling", "round_1", "round_2"]
    rates = {step: rate for (name, step), rate in points(uninterrupted).items() if name == "learning_rate"}
    assert rates[end] == pytest.approx(1e-4)  # each round has a schedule of its own: to a tenth of 1e-3
    assert max(rates[step] for step in rates if step > end) == pytest.approx(1e-3)


def kill_while_sampling(number: int) -> Callable[[], None]:
    """Arms a kill in the middle of the round with this number."""

    def arm() -> None:
        from training.teacher.cache import Cache

        original, batches = Cache.put, [0]

        def put(self: Any, asked: Any, answer: Any) -> None:
            original(self, asked, answer)
            batches[0] += 1
            if batches[0] == 3 * (number - 1) + 2:  # 3 batches a round
                os.kill(os.getpid(), signal.SIGKILL)

        Cache.put = put  # type: ignore[method-assign]

    return arm


@pytest.mark.parametrize("number", [1, 2])
def test_killed_while_it_samples_it_goes_on(
    number: int, uninterrupted: Stage, stages: Stages, adds: Path
) -> None:
    stage = stages.make("run", "own", parent=adds, data=RECIPE)
    assert stage.run(kill_while_sampling(number)) == -signal.SIGKILL
    assert stage.run() == 0, hint(stage)
    began = [0, first_round(stage)][number - 1]
    assert [record["step"] for record in stage.journal.records("started")] == [0, began]
    same_as(uninterrupted, stage)
    hits = {
        record["step"]: record["values"]["cache_hits"]
        for record in stage.journal.records("metrics")
        if "cache_hits" in record["values"]
    }
    assert hits[began + 1] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("start", signal.SIGKILL),
        ("before the boundary", signal.SIGKILL),
        ("boundary", signal.SIGTERM),
        ("second round", signal.SIGKILL),
    ],
)
def test_interrupted_while_it_trains_it_ends_like_the_uninterrupted_one(
    place: str, number: int, uninterrupted: Stage, stages: Stages, adds: Path
) -> None:
    end = first_round(uninterrupted)
    step = {"start": 1, "boundary": end, "before the boundary": end - 1, "second round": end + 2}[place]
    stage = stages.make("run", "own", parent=adds, data=RECIPE)
    code = stage.run_until(step, number)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 75)
    assert stage.run() == 0, hint(stage)
    same_as(uninterrupted, stage)


def same_as(expected: Stage, found: Stage) -> None:
    assert points(found) == points(expected)
    assert rollouts(found) == rollouts(expected)
    assert [kept(found, n) for n in (1, 2)] == [kept(expected, n) for n in (1, 2)]
    assert weights(found) == weights(expected)
