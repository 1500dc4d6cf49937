"""The words of rollouts: indexed in the background, in order, once, and found as people type them."""

import threading

import pytest
from django.db import connection

from tests import factories
from webapp.runs.models import Attempt
from webapp.telemetry import search, series
from webapp.telemetry.models import Rollout, RolloutText, TextIndex

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt() -> Attempt:
    return factories.make_run("grpo").attempts.get()


def write(attempt: Attempt, *completions: str, step: int = 1) -> list[int]:
    """Rollouts with these completions; their ids."""
    seq = factories.add_rollouts(attempt, step=step, count=len(completions))
    made = list(Rollout.objects.filter(attempt=attempt, seq=seq).order_by("index"))
    for rollout, completion in zip(made, completions, strict=True):
        rollout.completion = completion
        rollout.save(update_fields=["completion"])
    return [rollout.pk for rollout in made]


def found(attempt: Attempt, words: str) -> set[int]:
    wanted = search.query(words)
    assert wanted is not None
    every = series.rollouts([attempt.stage_run_id])
    return set(search.with_words(every, wanted).values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("zebra", {0}),
        ("ZEBRA stripes", {0}),
        ("zebra -stripes", set()),
        ('"seven times six"', {1}),
        ('"six times seven"', set()),
        ("mul_6_7_42", {2}),
        ("<MUL_6_7_42>", {2}),
        ("6*7=42", {2, 3}),
        ("zebra or times", {0, 1}),
        ("3.14", {4}),
        ("café", {4}),
        ("apples", {0, 1, 2, 3, 4}),  # it stands in every prompt
    ],
)
def test_words_are_found_as_they_are_typed(attempt: Attempt, words: str, places: set[int]) -> None:
    made = write(
        attempt,
        "A zebra has stripes",
        "seven times six",
        "so <MUL_6_7_42> it is",
        "6*7=42",
        "café π=3.14 'q' \\ %",
    )
    assert search.index_texts() == 5
    assert found(attempt, words) == {made[place] for place in places}


@pytest.mark.parametrize("words", ["", "  ", "***", "-", '"', "<>"])
def test_a_search_without_a_word_is_none(words: str) -> None:
    assert search.query(words) is None


@pytest.mark.parametrize(
    "words", ['"open', "a - b", "--a", "'; DROP TABLE x", "a:*", "!a & (b", "or or", '-"a b"']
)
def test_no_search_text_is_an_error(attempt: Attempt, words: str) -> None:
    write(attempt, "a b")
    search.index_texts()
    found(attempt, words)


def test_the_page_knows_how_far_the_index_is(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    run = attempt.stage_run_id
    assert search.indexed_to([run]) is None
    write(attempt, "one", "two", step=1)
    write(attempt, "three", step=2)
    write(attempt, "four", step=3)
    assert search.indexed_to([run]) == 0
    monkeypatch.setattr(search, "BATCH", 2)
    assert search.index_texts(seconds=0) == 2
    assert search.indexed_to([run]) == 1
    assert found(attempt, "apples") == set(
        Rollout.objects.filter(attempt=attempt, step=1).values_list("pk", flat=True)
    )
    assert search.index_texts() == 2
    assert search.indexed_to([run]) is None
    assert search.index_texts() == 0
    factories.add_metrics(attempt, {"loss": [1.0, 2.0]})
    assert search.indexed_to([run]) is None  # nothing that has words came in


def test_what_is_not_visible_yet_is_not_passed_over(attempt: Attempt) -> None:
    """Rollouts beyond journal_seq belong to an ingest that has not committed in full."""
    write(attempt, "one", step=1)
    seen = attempt.journal_seq
    write(attempt, "two", step=2)
    Attempt.objects.filter(pk=attempt.pk).update(journal_seq=seen)
    assert search.index_texts() == 1
    Attempt.objects.filter(pk=attempt.pk).update(journal_seq=seen + 1)
    assert search.index_texts() == 1
    assert RolloutText.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_workers_index_each_rollout_once() -> None:
    attempts = [factories.make_run("grpo").attempts.get()]
    for step in range(1, 31):
        factories.add_rollouts(attempts[0], step=step, count=16)

    def index() -> None:
        try:
            while search.indexed_to([attempts[0].stage_run_id]) is not None:
                search.index_texts(seconds=0)
        finally:
            connection.close()

    threads = [threading.Thread(target=index) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert RolloutText.objects.count() == Rollout.objects.count() == 480
    assert TextIndex.objects.get().step == 30


@pytest.mark.parametrize("few", [0, 3, 1000])
def test_words_are_found_alike_however_many_rollouts_have_them(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    factories.add_rollouts(attempt, step=1, count=16)
    search.index_texts()
    monkeypatch.setattr(search, "FEW", few)
    words = search.query("apples")
    assert words is not None
    every = series.rollouts([attempt.stage_run_id])
    wrong = every.filter(correct=False)
    found = search.with_words_each({attempt.pk: wrong}, words)
    assert set(found[attempt.pk]) == set(search.with_words(wrong, words)) != set()
    none = search.query("zebra")
    assert none is not None
    assert not search.with_words_each({attempt.pk: every}, none)[attempt.pk].exists()


def test_a_text_that_no_index_entry_holds_is_cut_and_the_next_ones_follow(attempt: Attempt) -> None:
    words = " ".join(f"word{number}" for number in range(400_000))
    before, long, after = write(attempt, "zebra", f"giraffe {words} lion", "zebra")
    assert len(words) > 4_000_000
    assert search.index_texts() == 3
    assert found(attempt, "giraffe") == found(attempt, "word7") == {long}
    assert found(attempt, "lion") == set()
    assert found(attempt, "zebra") == {before, after}
    assert search.cut_texts([attempt.stage_run_id]) == 1
    assert search.indexed_to([attempt.stage_run_id]) is None


@pytest.mark.parametrize("first", ["a", "é", "字", "\U00020000"])
def test_so_many_characters_always_fit(attempt: Attempt, first: str) -> None:
    """The shortest different words take most of an entry for their length, with one to four bytes a character."""
    letters = [chr(ord(first) + n) for n in range(600) if chr(ord(first) + n).isalnum()]
    words = " ".join(f"{one}{other}" for one in letters for other in letters)[: search.LONGEST]
    (made,) = write(attempt, f"{words} lion")
    assert search.index_texts() == 1
    assert RolloutText.objects.get(pk=made).words != ""


def test_a_row_that_cannot_be_indexed_at_all_is_marked_and_passed_over(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LONGEST", 10_000_000)  # more than PostgreSQL takes
    before, _, after = write(
        attempt, "zebra", " ".join(f"word{number}" for number in range(400_000)), "zebra"
    )
    assert search.index_texts() == 3
    assert search.index_texts() == 0
    assert found(attempt, "zebra") == {before, after}
    assert search.cut_texts([attempt.stage_run_id]) == 1
