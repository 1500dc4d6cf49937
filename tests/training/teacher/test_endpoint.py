"""The endpoint teacher against a real server: order, concurrency, cache, budget, and every way in which it can fail."""

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.training.endpoint import Endpoint, Reply, completion, serving, solution
from training.data.example import Example, prompt_for
from training.engine.run_context import Stopped
from training.stages.distillation.config import DistillationSettings
from training.teacher import Answer, TeacherError
from training.teacher.cache import Cache
from training.teacher.endpoint import EndpointTeacher

KEY, SECRET = "MULBERRY_KEY_TEST", "sk-not-for-others"
PROBLEMS = [Example(prompt_for(f"What is {a} + {b}?"), "", str(a + b)) for a in range(1, 6) for b in (1, 2)]
QUICK = {"first_wait": 0.01, "tries": 3, "timeout": 60.0}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving() as server:
        yield server


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    opened = Cache(tmp_path / "teacher")
    yield opened
    opened.close()


def teacher(
    endpoint: Endpoint,
    cache: Cache,
    *,
    samples: int = 2,
    stop_if_asked: Callable[[], None] = lambda: None,
    **changes: Any,
) -> EndpointTeacher:
    settings = DistillationSettings.model_validate(
        {
            "name": "distill",
            "kind": "distillation",
            "data": [{"source": "drills"}],
            "problems": len(PROBLEMS),
            "samples": samples,
            "keep": 1,
            "max_new_tokens": 50,
            "optimizer": {"learning_rate": 1e-3},
            "teacher": {
                "kind": "endpoint",
                "endpoint": {"base_url": endpoint.address, "model": "m", **QUICK, **changes},
            },
        }
    )
    return EndpointTeacher(settings.teacher.endpoint, settings, cache, stop_if_asked)


def told(found: list[list[Answer]]) -> list[list[str]]:
    return [[one.text for one in group] for group in found]


def test_answers_come_in_order_and_so_many_are_asked_at_once(endpoint: Endpoint, cache: Cache) -> None:
    four = threading.Barrier(4)  # nobody is answered before so many have asked

    def answer(number: int, question: str) -> Reply:
        four.wait(60)
        return completion(solution(question))

    endpoint.answer = answer
    found = list(teacher(endpoint, cache, concurrency=4).answers(PROBLEMS))
    assert told(found) == [[solution(problem.prompt)] * 2 for problem in PROBLEMS]
    assert endpoint.most_at_once == 4
    assert {(one.tokens_in, one.tokens_out, one.ended) for group in found for one in group} == {
        (40, 10, True)
    }
    for body in endpoint.bodies:  # in whichever order four at once arrive
        assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.7, 50)
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert {body["messages"][1]["content"] for body in endpoint.bodies} >= {"What is 1 + 1?"}


def test_a_second_run_asks_nothing(endpoint: Endpoint, cache: Cache) -> None:
    first = list(teacher(endpoint, cache, price_out=1e5).answers(PROBLEMS))
    assert endpoint.requests == 2 * len(PROBLEMS)
    again = list(teacher(endpoint, cache, price_out=1e5).answers(PROBLEMS))
    assert endpoint.requests == 2 * len(PROBLEMS)
    assert told(again) == told(first)
    assert {one.cost for group in again for one in group} == {1.0}
    assert [one.cached for group in (*first, *again) for one in group] == [False] * 20 + [True] * 20
    more = list(teacher(endpoint, cache, samples=3).answers(PROBLEMS))
    assert endpoint.requests == 3 * len(PROBLEMS)  # the third samples only
    assert [group[:2] for group in told(more)] == told(first)
    list(teacher(endpoint, cache, model="another").answers(PROBLEMS[:1]))
    assert endpoint.requests == 3 * len(PROBLEMS) + 2


def test_two_runs_side_by_side_do_not_both_pay(endpoint: Endpoint, cache: Cache) -> None:
    endpoint.seconds = 0.05
    child = os.fork()
    if child == 0:
        code = 1
        try:
            own = Cache(cache.folder)
            list(teacher(endpoint, own, concurrency=3).answers(PROBLEMS))
            code = 0
        finally:
            os._exit(code)
    list(teacher(endpoint, cache, concurrency=3).answers(PROBLEMS))
    assert os.waitpid(child, 0)[1] == 0
    assert endpoint.requests == 2 * len(PROBLEMS)


def test_what_passes_is_tried_again(endpoint: Endpoint, cache: Cache) -> None:
    def stumble(number: int, question: str) -> Reply:
        if number == 0:
            return 429, {"Retry-After": "1"}, json.dumps({"error": {"message": "slow down"}})
        if number == 1:
            return 503, {}, "<html>overloaded</html>"
        return completion("{" if number == 2 else solution(question))

    endpoint.answer = stumble
    began = time.monotonic()
    found = list(teacher(endpoint, cache, samples=1, concurrency=1).answers(PROBLEMS[:2]))
    assert time.monotonic() - began >= 1.0  # as the endpoint asked
    assert told(found) == [["{"], [solution(PROBLEMS[1].prompt)]]
    assert endpoint.requests == 4


NOT_JSON = (200, {}, "<!doctype html><title>Sign in</title>")
QUOTA = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}
FAILURES: dict[str, tuple[Reply, dict[str, Any], list[str], int]] = {
    "limited": ((429, {}, "{}"), {}, ["limits requests (429", "3 times", "lower concurrency"], 3),
    "limited for long": (
        (429, {"Retry-After": "3600"}, "{}"),
        {},
        ["left alone for 3,600 s, more than longest_wait", "wait until its limit is over"],
        1,
    ),
    "no credit": ((429, {}, json.dumps(QUOTA)), {}, ["no credit left", "top the account up"], 1),
    "rubbish": (NOT_JSON, {}, ["not JSON: <!doctype html>", "base_url"], 3),
    "no choices": ((200, {}, '{"object": "list"}'), {}, ["without a choice", "base_url"], 3),
    "endless": ((200, {}, " " * 4_100_000), {}, ["more than 4,000,000 bytes", "base_url"], 3),
    "no text": (completion(None, message=None, choices=[{"message": {"content": [1]}}]), {}, ["no text"], 3),
    "down": ((500, {}, "oops"), {}, ["an error of its own (500: oops)", "its log"], 3),
    "wrong key": (
        (401, {}, json.dumps({"error": {"message": f"bad key {SECRET}"}})),
        {"key_variable": KEY},
        ["rejects the key (401: bad key …)", f"put a valid one into {KEY}"],
        1,
    ),
    "no key": ((401, {}, "{}"), {}, ["asks for a key (401)", "MULBERRY_KEY_…"], 1),
    "no model": ((404, {}, '{"detail": "no model m"}'), {}, ["no such page or model 'm'", "fix"], 1),
    "refused": ((400, {}, '{"error": {"message": "no max_tokens"}}'), {}, ["refuses", "no max_tokens"], 1),
    "moved": ((301, {"Location": "/v2"}, ""), {}, ["answers 301"], 1),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failing_endpoint_is_explained_and_goes_on_when_fixed(
    name: str, endpoint: Endpoint, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply, changes, texts, tries = FAILURES[name]
    monkeypatch.setenv(KEY, SECRET)
    endpoint.answer = lambda number, question: reply if number >= 4 else completion(solution(question))
    with pytest.raises(TeacherError) as error:
        list(teacher(endpoint, cache, concurrency=1, **changes).answers(PROBLEMS))
    said = str(error.value)
    assert said.startswith(f"the teacher at {endpoint.address} ")
    assert said.endswith("; 4 answers are kept and not asked again")
    assert all(text in said for text in texts), said
    assert SECRET not in said and "\n" not in said
    assert endpoint.requests == 4 + tries

    endpoint.answer = lambda number, question: completion(solution(question))
    found = list(teacher(endpoint, cache, **changes).answers(PROBLEMS))
    assert told(found) == [[solution(problem.prompt)] * 2 for problem in PROBLEMS]
    assert endpoint.requests == 2 * len(PROBLEMS) + tries


@pytest.mark.parametrize("drips", [False, True])
def test_one_that_never_ends_its_answer_is_given_up(drips: bool, endpoint: Endpoint, cache: Cache) -> None:
    endpoint.seconds, endpoint.drips = (0.0, True) if drips else (2.0, False)
    with pytest.raises(TeacherError, match=r"no answer within 0\.2 s, 3 times; see that it runs"):
        list(teacher(endpoint, cache, timeout=0.2).answers(PROBLEMS))
    endpoint.seconds, endpoint.drips = 0.0, False
    assert len(list(teacher(endpoint, cache).answers(PROBLEMS))) == len(PROBLEMS)


def test_one_that_is_not_there_is_given_up(
    endpoint: Endpoint, cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.address = "http://127.0.0.1:9/v1"
    with pytest.raises(TeacherError, match=r"cannot be reached \(.+\), 3 times; .*base_url is right"):
        list(teacher(endpoint, cache).answers(PROBLEMS))
    gc.collect()
    assert not [
        record for record in caplog.records if record.name == "asyncio"
    ]  # each request's error was asked for


def test_the_key_goes_into_the_header_and_nowhere_else(
    endpoint: Endpoint, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TeacherError, match=f"{KEY} is not set where the worker runs"):
        teacher(endpoint, cache, key_variable=KEY)
    monkeypatch.setenv(KEY, "two words")
    with pytest.raises(TeacherError, match="characters that no key has") as error:
        teacher(endpoint, cache, key_variable=KEY)
    assert "two words" not in str(error.value)
    monkeypatch.setenv(KEY, f"{SECRET}\n")
    endpoint.answer = lambda number, question: completion(f"{solution(question)} {SECRET}")
    found = list(teacher(endpoint, cache, key_variable=KEY).answers(PROBLEMS))
    assert endpoint.keys == {f"Bearer {SECRET}"}
    assert SECRET not in str(found)
    files = list(cache.folder.rglob("*.json"))
    assert len(files) == endpoint.requests
    assert not any(SECRET in path.read_text() for path in files)


MONEY = {"price_in": 5e3, "price_out": 1e4}  # 40 × 0.005 + 10 × 0.01 = 0.30 an answer


@pytest.mark.parametrize("limit", [{"budget_money": 4.0}, {"budget_tokens": 700}])
def test_a_budget_ends_at_the_same_problem_however_it_is_asked(
    limit: dict[str, Any], endpoint: Endpoint, tmp_path: Path
) -> None:
    ends, paid = [], []
    for concurrency in (1, 8):
        cache = Cache(tmp_path / str(concurrency))
        before = endpoint.requests
        asking = teacher(
            endpoint, cache, concurrency=concurrency, instructions="", when_spent="train", **MONEY, **limit
        )
        found = list(asking.answers(PROBLEMS))
        again = list(asking.answers(PROBLEMS))  # all from the cache, and it ends there too
        assert told(again) == told(found)
        ends.append(len(found))
        paid.append(endpoint.requests - before)
        cost = sum(one.cost for group in found for one in group)
        tokens = sum(one.tokens_in + one.tokens_out for group in found for one in group)
        assert cost <= limit.get("budget_money", cost) and tokens <= limit.get("budget_tokens", tokens)
        cache.close()
    assert ends[0] == ends[1] and 0 < ends[0] < len(PROBLEMS)
    assert paid == [2 * ends[0]] * 2


def test_a_spent_budget_may_be_a_failure(endpoint: Endpoint, cache: Cache) -> None:
    with pytest.raises(
        TeacherError, match=r"the budget of 700 tokens reaches for \d of 10 problems; raise it"
    ):
        list(teacher(endpoint, cache, budget_tokens=700).answers(PROBLEMS))
    found = list(teacher(endpoint, cache, budget_tokens=10_000).answers(PROBLEMS))
    assert len(found) == len(PROBLEMS)
    assert endpoint.requests == 2 * len(PROBLEMS)


def test_an_endpoint_that_does_not_count_is_taken_to_have_used_the_most(
    endpoint: Endpoint, cache: Cache
) -> None:
    endpoint.answer = lambda number, question: completion(solution(question), usage=None)
    [[one]] = list(teacher(endpoint, cache, samples=1, price_out=1e6).answers(PROBLEMS[:1]))
    assert one.tokens_out == 50 and one.cost == 50.0
    assert one.tokens_in > len(PROBLEMS[0].prompt)


def test_an_endpoint_that_knows_no_limit_is_cut_at_it_also_when_it_is_asked_no_more(
    endpoint: Endpoint, cache: Cache
) -> None:
    endpoint.answer = lambda number, question: completion(f"{solution(question)}{' and on' * 400_000}")
    for _ in range(2):
        [[one]] = list(teacher(endpoint, cache, samples=1).answers(PROBLEMS[:1]))
        assert (len(one.text), one.ended) == (50 * 16, False)
        assert one.text.startswith(solution(PROBLEMS[0].prompt))
    assert endpoint.requests == 1


def test_what_is_under_way_when_the_stage_is_stopped_is_kept(endpoint: Endpoint, cache: Cache) -> None:
    stopped = threading.Event()

    def answer(number: int, question: str) -> Reply:
        stopped.wait(60 if number else 0)  # all but the first are under way when the stage is stopped
        return completion(solution(question))

    def stop_if_asked() -> None:
        if endpoint.requests >= 4:
            stopped.set()
            raise Stopped("terminated")

    endpoint.answer = answer

    with pytest.raises(Stopped):
        list(teacher(endpoint, cache, concurrency=4, stop_if_asked=stop_if_asked).answers(PROBLEMS))
    paid = endpoint.requests
    assert paid < 2 * len(PROBLEMS)
    list(teacher(endpoint, cache, concurrency=4).answers(PROBLEMS))
    assert endpoint.requests == 2 * len(PROBLEMS), "an answer that was paid for was lost"
