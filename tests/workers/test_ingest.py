"""What the journal says is in the database, once, whoever brings it in and whenever they die."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import connection

from tests.factories import make_attempt, make_experiment, run_of
from tests.rows import row_of
from training.process.journal import OF_TOKENS, Journal, OutcomeRow, RolloutRow, records
from webapp.results.models import Evaluation, Outcome
from webapp.results.outcome_counts import Accuracy, latest_accuracies
from webapp.runs.models import Attempt, Checkpoint, StageRun
from webapp.telemetry.models import LogLine, MetricChunk, Rollout
from webapp.telemetry.series import series
from workers import ingest as module
from workers.chunks import TOGETHER, due
from workers.ingest import Ingest, UnfitRecord

pytestmark = [pytest.mark.django_db, pytest.mark.services]


@pytest.fixture
def run() -> StageRun:
    return run_of(make_experiment(conditions=["baseline"]), "baseline", "grpo")


@pytest.fixture
def attempt(run: StageRun, tmp_path: Path) -> Attempt:
    return make_attempt(run, run_dir=str(tmp_path))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def rollout(**fields: Any) -> dict[str, Any]:
    return row_of(
        RolloutRow, prompt="User: 6 × 9?", completion=" 54", reference="54", final_answer="54", tokens=3, reward=1.0,
        components={"correct": 1.0}, advantage=0.5, correct=True,
    ) | fields  # fmt: skip


def outcome(problem: str, **fields: Any) -> dict[str, Any]:
    return row_of(
        OutcomeRow, problem=problem, prompt="p", completion="r", reference="1", final_answer=None, tokens=1, hit_limit=True
    ) | fields  # fmt: skip


def test_every_kind_of_record_arrives(run: StageRun, attempt: Attempt, journal: Journal) -> None:
    journal.append("started", attempt=1, step=40, pid=1)
    journal.metrics(41, {"loss": 2.5, "kl": 0.25})
    journal.append("rollouts", step=41, rows=[rollout(), rollout(final_answer=None, correct=False)])
    journal.progress(41, 150, "steps", "training")
    journal.log("careful", level="warning")
    journal.append("checkpoint", step=50, path="/s/50", final=False, manifest_sha256="ab", bytes=7)
    settings = {"decoding": "greedy"}
    journal.append(
        "evaluation", evaluation="gsm8k@50", benchmark="gsm8k", step=50, problems=2, settings=settings
    )
    journal.append(
        "outcomes", evaluation="gsm8k@50", rows=[outcome("a"), outcome("b", correct=True, final_answer="1")]
    )
    journal.append("finished", status="succeeded", reason="", hint="")
    ingest = Ingest(attempt.pk)
    assert ingest.flush() == 9
    assert ingest.finished == {"status": "succeeded", "reason": "", "hint": ""}
    attempt.refresh_from_db()
    assert (attempt.first_step, attempt.journal_seq) == (40, 9)
    assert attempt.journal_offset == journal.path.stat().st_size
    assert series([run.pk])[run.pk, "kl"].values.tolist() == [0.25]
    rows = Rollout.objects.filter(attempt=attempt).order_by("index")
    assert [(r.seq, r.index, r.step, r.final_answer, r.correct) for r in rows] == [
        (3, 0, 41, "54", True),
        (3, 1, 41, None, False),
    ]
    assert rows[0].components == {"correct": 1.0}
    run.refresh_from_db()
    assert (run.progress_done, run.progress_total, run.progress_unit, run.progress_phase) == (
        41,
        150,
        "steps",
        "training",
    )
    assert list(LogLine.objects.values_list("level", "text")) == [("warning", "careful")]
    assert Checkpoint.objects.get().path == "/s/50"
    evaluation = Evaluation.objects.get()
    assert (evaluation.key, evaluation.settings) == ("gsm8k@50", settings)
    assert list(Outcome.objects.order_by("problem").values_list("problem", "correct")) == [
        ("a", False),
        ("b", True),
    ]
    assert latest_accuracies([run.pk], "gsm8k") == {run.pk: Accuracy(evaluation.pk, 1, 2, 2)}


def test_the_identity_of_the_data_and_what_only_some_benchmarks_know_arrive(
    attempt: Attempt, journal: Journal
) -> None:
    sources = [{"source": "gsm8k", "sha256": "ab", "rows": 7473}]
    journal.append("data", sources=sources)
    journal.append("examples", parts=[{"part": "round_1", "sha256": "ab"}])
    parts = [{"part": "round_1", "sha256": "ab"}, {"part": "round_2", "sha256": "cd"}]
    journal.append("examples", parts=parts)  # every round says all
    journal.append("evaluation", evaluation="x@2", benchmark="x", step=5, problems=2, settings={})
    known = {"labels": ["new_pair"], "steps_written": 3, "steps_right": 2, "answer_rule": "boxed"}
    journal.append("outcomes", evaluation="x@2", rows=[outcome("a", **known), outcome("b")])
    Ingest(attempt.pk).drain()
    attempt.refresh_from_db()
    assert (attempt.data, attempt.examples) == (sources, parts)
    columns = ("labels", "steps_written", "steps_right", "answer_rule")
    assert list(Outcome.objects.order_by("problem").values_list(*columns)) == [
        (["new_pair"], 3, 2, "boxed"),
        (None, None, None, None),
    ]


def test_a_journal_is_read_in_which_fields_change_to_their_new_names(
    attempt: Attempt, journal: Journal
) -> None:
    old_rollout, old_outcome = rollout(completion=" 6 × 9 = 54"), outcome("a", correct=True)
    old_rollout["answer"] = old_rollout.pop("final_answer")
    old_outcome |= {"response": " #### 1", "answer": "1"}
    del old_outcome["completion"], old_outcome["final_answer"]
    journal.append("evaluation", evaluation="x@1", benchmark="x", step=5, problems=2, settings={})
    journal.append("rollouts", step=1, rows=[old_rollout])
    journal.append("outcomes", evaluation="x@1", rows=[old_outcome])
    journal.append("rollouts", step=2, rows=[old_rollout, rollout(completion=" 55", final_answer="55")])
    journal.append("outcomes", evaluation="x@1", rows=[outcome("b", completion=" #### 2", final_answer="2")])
    Ingest(attempt.pk).drain()
    rollouts = Rollout.objects.order_by("seq", "index").values_list("step", "completion", "final_answer")
    assert list(rollouts) == [(1, " 6 × 9 = 54", "54"), (2, " 6 × 9 = 54", "54"), (2, " 55", "55")]
    outcomes = Outcome.objects.order_by("problem").values_list(
        "problem", "completion", "final_answer", "correct"
    )
    assert list(outcomes) == [("a", " #### 1", "1", True), ("b", " #### 2", "2", False)]


def test_samples_of_one_problem_arrive_beside_its_greedy_completion(
    attempt: Attempt, journal: Journal
) -> None:
    journal.append("evaluation", evaluation="x@1", benchmark="x", step=5, problems=1, settings={"samples": 2})
    journal.append("outcomes", evaluation="x@1", rows=[outcome("a")])
    drawn = [outcome("a", sample=1, correct=True), outcome("a", sample=2)]
    journal.append("outcomes", evaluation="x@1", rows=drawn)
    Ingest(attempt.pk).drain()
    assert list(Outcome.objects.order_by("sample").values_list("sample", "correct")) == [
        (0, False),
        (1, True),
        (2, False),
    ]
    journal.append("outcomes", evaluation="x@1", rows=[outcome("a", sample=2)])
    with pytest.raises(UnfitRecord, match="outcome_once"):
        Ingest(attempt.pk).flush()


def test_flushing_again_adds_nothing(attempt: Attempt, journal: Journal) -> None:
    journal.append("rollouts", step=1, rows=[rollout()])
    assert Ingest(attempt.pk).flush() == 1
    assert Ingest(attempt.pk).flush() == 0
    assert Rollout.objects.count() == 1


def test_of_two_that_read_the_same_offset_one_wins(run: StageRun, attempt: Attempt, journal: Journal) -> None:
    one, other = Ingest(attempt.pk), Ingest(attempt.pk)
    journal.metrics(1, {"loss": 1.0})
    one.flush()
    other.flush()
    journal.metrics(2, {"loss": 2.0})
    other.flush()
    one.flush()
    journal.metrics(3, {"loss": 3.0})
    one.drain()
    assert sum(MetricChunk.objects.values_list("points", flat=True)) == 3
    assert series([run.pk])[run.pk, "loss"].values.tolist() == [1, 2, 3]


def test_an_evaluation_continues_in_another_ingest(attempt: Attempt, journal: Journal) -> None:
    journal.append("evaluation", evaluation="g@1", benchmark="g", step=1, problems=2, settings={})
    journal.append("outcomes", evaluation="g@1", rows=[outcome("a")])
    Ingest(attempt.pk).flush()
    journal.append("outcomes", evaluation="g@1", rows=[outcome("b")])
    Ingest(attempt.pk).flush()
    assert Evaluation.objects.get().outcomes.count() == 2


def test_a_torn_tail_waits_for_its_rest(attempt: Attempt, journal: Journal, tmp_path: Path) -> None:
    journal.log("whole")
    end = (tmp_path / "journal").stat().st_size
    journal.log("torn")
    whole = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(whole[: end + 25])
    ingest = Ingest(attempt.pk)
    assert (ingest.flush(), ingest.flush()) == (1, 0)
    (tmp_path / "journal").write_bytes(whole)
    assert ingest.flush() == 1
    assert list(LogLine.objects.values_list("text", flat=True)) == ["whole", "torn"]


def test_text_that_postgresql_refuses_is_cleaned(attempt: Attempt, journal: Journal, tmp_path: Path) -> None:
    nasty = "a\x00b\\N\t\r\n\x1b é 漢 😀 \ud800"
    journal.append(
        "rollouts", step=1, rows=[rollout(completion=nasty, components={"x\x00": math.nan}, reward=math.inf)]
    )
    journal.log("log\x00line")
    journal.append("evaluation", evaluation="g", benchmark="g", step=1, problems=0, settings={"p": "\x00q"})
    Ingest(attempt.pk).drain()
    row = Rollout.objects.get()
    assert row.completion == "ab\\N\t\r\n\x1b é 漢 😀 ?"
    assert (row.components, row.reward) == ({"x": None}, math.inf)
    assert LogLine.objects.get().text == "logline"
    assert Evaluation.objects.get().settings == {"p": "q"}


def test_a_stale_attempts_progress_changes_nothing_but_its_records_are_kept(
    run: StageRun, attempt: Attempt, journal: Journal, tmp_path: Path
) -> None:
    journal.append("started", attempt=1, step=0, pid=1)
    journal.metrics(5, {"loss": 5.0})
    journal.metrics(15, {"loss": 15.0})
    journal.progress(15, 20, "steps", "training")
    newest = make_attempt(run, first_step=10, run_dir=str(tmp_path / "other"))
    Ingest(attempt.pk).drain()
    run.refresh_from_db()
    assert run.progress_done == 0
    assert MetricChunk.objects.filter(metric__attempt=attempt).exists()
    assert series([run.pk])[run.pk, "loss"].values.tolist() == [5.0]  # step 15 is superseded by attempt 2
    assert newest.number == 2


@pytest.mark.slow
def test_small_chunks_are_merged_and_no_point_changes(
    run: StageRun, attempt: Attempt, journal: Journal
) -> None:
    ingest = Ingest(attempt.pk)
    values = np.random.default_rng(0).standard_normal(700)
    for step, value in enumerate(values):
        journal.metrics(step, {"loss": float(value), "same": 1.0})
        ingest.flush()
        if step == 300:
            ingest = Ingest(attempt.pk)  # another process goes on
    found = series([run.pk])[run.pk, "loss"]
    assert found.steps.tolist() == list(range(700))
    assert np.array_equal(found.values, values)
    chunks = MetricChunk.objects.filter(metric__name="loss").order_by("first_seq")
    assert len(chunks) < 3 * TOGETHER
    assert all(a.last_seq < b.first_seq for a, b in pairwise(chunks))
    assert all(c.points == len(c.steps) // 8 and c.last_step - c.first_step == c.points - 1 for c in chunks)


@pytest.mark.parametrize("largest_flush", [1, 3, 20, 300])
def test_merging_rewrites_each_point_a_few_times_only(largest_flush: int) -> None:
    draw = np.random.default_rng(0)
    sizes: list[int] = []
    rewritten = total = 0
    for _ in range(20_000):
        total += (new := int(draw.integers(1, largest_flush + 1)))
        sizes.append(new)
        while count := due(sizes):
            rewritten += sum(sizes[-count:])
            sizes[-count:] = [sum(sizes[-count:])]
    assert sum(sizes) == total
    assert rewritten < 6 * total
    assert len(sizes) < 100 + total / 4096


def test_a_long_backlog_comes_in_by_pieces(
    attempt: Attempt, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLUSH_BYTES", 2000)
    for step in range(50):
        journal.append("rollouts", step=step, rows=[rollout()])
    ingest = Ingest(attempt.pk)
    assert 0 < ingest.flush() < 50
    ingest.drain()
    assert Rollout.objects.count() == 50


def test_what_an_aborted_transaction_stored_is_not_remembered(attempt: Attempt, journal: Journal) -> None:
    ingest = Ingest(attempt.pk)
    journal.metrics(1, {"loss": 1.0})
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE telemetry_logline ADD CONSTRAINT never CHECK (text <> 'no')")
    journal.log("no")
    with pytest.raises(UnfitRecord, match="cannot be stored"):
        ingest.flush()
    attempt.refresh_from_db()
    assert (attempt.journal_offset, MetricChunk.objects.count()) == (0, 0)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE telemetry_logline DROP CONSTRAINT never")
    assert ingest.flush() == 2
    assert MetricChunk.objects.get().metric.attempt_id == attempt.pk


def test_the_last_word_is_found_even_when_somebody_else_brought_it_in(
    attempt: Attempt, journal: Journal
) -> None:
    journal.append("finished", status="failed", reason="bad_setting", hint="no data")
    Ingest(attempt.pk).drain()
    late = Ingest(attempt.pk)
    late.drain()
    assert late.finished is not None
    assert late.finished["hint"] == "no data"
    assert len(list(records(journal.path))) == 1


def test_chunks_are_stored_uncompressed() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'telemetry_metricchunk'::regclass AND attstorage = 'e'"
        )
        assert {name for (name,) in cursor.fetchall()} == {"steps", "times", "values"}


def test_tokens_and_what_sampler_and_trainer_thought_of_them_arrive(
    attempt: Attempt, journal: Journal
) -> None:
    values = {"logprobs": [-0.5, -1.25], "trainer_logprobs": [-0.5, -1.5], "entropies": [0.1, math.nan]}
    rows = [
        rollout(pieces=[" 5", "\x004"], learnt=[True, False], **values),
        rollout(pieces=["5"], logprobs=[-0.5]),  # as journals of before have it
        rollout(advantage=None),
    ]
    journal.append("rollouts", step=1, rows=rows)
    Ingest(attempt.pk).flush()
    found = Rollout.objects.filter(attempt=attempt).order_by("index")
    assert list(found.values_list(*OF_TOKENS)) == [
        ([" 5", "4"], [-0.5, -1.25], [-0.5, -1.5], [0.1, None], [True, False]),
        (["5"], [-0.5], None, None, None),
        (None, None, None, None, None),
    ]
    assert found[2].advantage is None
