"""The stage table against rows made by hand: what counts, what is paired, what is refused."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from tests.factories import (
    BENCHMARK,
    EVALUATION_SETTINGS,
    add_evaluation,
    add_samples,
    make_attempt,
    make_experiment,
    run_of,
)
from tests.histories import make_history
from webapp.comparison.cells import Comparison, Refusal
from webapp.comparison.columns import DETAILS
from webapp.comparison.metrics import METRICS
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.files.number_text import plain
from webapp.results.models import Evaluation, Outcome
from webapp.results.outcome_counts import latest_accuracies
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db
DETAIL = {column.name: column for column in DETAILS}
ONE_STAGE = (("drills", "sft"),)


def evaluate(experiment, condition, stage, correct, *, seed=0, **fields):
    """A finished attempt with one evaluation."""
    attempt = make_attempt(run_of(experiment, condition, stage, seed), state=State.SUCCEEDED)
    return add_evaluation(attempt, correct, **fields)


def pairs(both, gained, lost, neither):
    """Outcomes of the baseline and of the other condition with these counts."""
    baseline = [True] * both + [False] * gained + [True] * lost + [False] * neither
    other = [True] * both + [True] * gained + [False] * lost + [False] * neither
    return baseline, other


def one_comparison(table, stage=0):
    return table.rows[stage].seeds[0].comparisons[0]


def test_a_row_holds_the_counts_and_the_paired_test():
    experiment = make_experiment(stages=ONE_STAGE)
    baseline, other = pairs(50, 30, 12, 58)
    evaluate(experiment, "baseline", "drills", baseline)
    evaluate(experiment, "mul_tokens", "drills", other, mul_tokens=2)
    table = stage_table(experiment)
    first, second = table.rows[0].seeds[0].cells
    assert (first.count, second.count, first.result.problems) == (62, 80, 150)
    assert second.rate == 80 / 150
    assert second.result.mean("mul_tokens") == 2.0
    assert second.result.mean("tokens") == 9.0
    comparison = one_comparison(table)
    assert (comparison.counts.gained, comparison.counts.lost) == (30, 12)
    assert comparison.delta == pytest.approx(18 / 150)
    assert comparison.p == pytest.approx(mcnemar([[50, 30], [12, 58]], exact=True).pvalue)
    assert comparison.adjusted_p == comparison.p  # one planned test
    assert comparison.verdict.word == "differ"


def test_pairs_are_formed_by_problem_not_by_order():
    experiment = make_experiment(stages=ONE_STAGE)
    generator = np.random.default_rng(0)
    baseline, other = (generator.random(40) < 0.5).tolist(), (generator.random(40) < 0.7).tolist()
    evaluate(experiment, "baseline", "drills", baseline)
    second = evaluate(experiment, "mul_tokens", "drills", [])
    second.problems = 40
    second.save()
    for i in reversed(range(40)):
        Outcome.objects.create(
            evaluation=second,
            problem=f"p{i:04d}",
            prompt="",
            completion="",
            reference="",
            tokens=1,
            correct=other[i],
            mul_tokens=0,
            repeats=False,
            hit_limit=False,
        )
    counts = one_comparison(stage_table(experiment)).counts
    assert counts.gained == sum(b and not a for a, b in zip(baseline, other, strict=True))
    assert counts.lost == sum(a and not b for a, b in zip(baseline, other, strict=True))


def test_samples_count_in_nothing_but_pass_at_k():
    experiment = make_experiment(stages=ONE_STAGE)
    baseline, other = pairs(5, 3, 1, 6)
    made = [
        evaluate(experiment, "baseline", "drills", baseline),
        evaluate(experiment, "mul_tokens", "drills", other),
    ]
    before = {metric: stage_table(experiment, metric=metric) for metric in METRICS}
    for evaluation in made:
        add_samples(evaluation, [[True, False, True]] * 15)
    for metric, table in before.items():
        again = stage_table(experiment, metric=metric)
        plain = [replace(cell.tally, settings={}) for cell in table.cells()]
        assert [replace(cell.tally, settings={}) for cell in again.cells()] == plain
        assert one_comparison(again) == one_comparison(table)
    assert (
        latest_accuracies([run_of(experiment, "baseline", "drills").id], BENCHMARK).popitem()[1].counted == 15
    )


def test_the_written_steps_are_counted_apart_from_the_answer():
    experiment = make_experiment(stages=ONE_STAGE)
    written = [(0, 0), (1, 1), (3, 3), (3, 2), (2, 0)]
    for condition in ("baseline", "mul_tokens"):
        evaluation = evaluate(experiment, condition, "drills", [True] * 5)
        for outcome, (steps, right) in zip(evaluation.outcomes.order_by("problem"), written, strict=True):
            outcome.steps_written, outcome.steps_right = steps, right
            outcome.save()
    last = evaluation.outcomes.get(problem="p0003")
    last.steps_right = 3
    last.save()
    table = stage_table(experiment, metric="steps_right_rate")
    first, second = table.rows[0].seeds[0].cells
    assert (first.count, second.count) == (2, 3)
    assert DETAIL["steps_right_rate"].of(first) == pytest.approx(2 / 5)
    assert DETAIL["equations_right"].of(first) == pytest.approx(6 / 9)
    assert first.accuracy == 1.0
    counts = one_comparison(table).counts
    assert (counts.both, counts.gained, counts.lost, counts.neither) == (2, 1, 0, 2)


def test_choices_have_no_steps():
    experiment = make_experiment(stages=ONE_STAGE)
    evaluate(experiment, "baseline", "drills", [True] * 5)  # steps are null: nobody looked for any
    cell = stage_table(experiment).rows[0].seeds[0].cells[0]
    assert DETAIL["steps_right_rate"].of(cell) is None
    assert DETAIL["equations_right"].of(cell) is None
    assert not stage_table(experiment, metric="steps_right_rate").rows[0].seeds[0].cells[0].complete


def test_only_complete_evaluations_count_and_the_latest_attempt_that_has_one():
    experiment = make_experiment(stages=ONE_STAGE)
    evaluate(experiment, "baseline", "drills", [True] * 10)
    run = run_of(experiment, "baseline", "drills")
    add_evaluation(make_attempt(run), [False] * 10)
    add_evaluation(make_attempt(run), [True] * 3, problems=10)  # still going on
    evaluate(experiment, "mul_tokens", "drills", [True] * 4, problems=10)
    first, second = stage_table(experiment).rows[0].seeds[0].cells
    assert first.count == 0  # the second attempt's
    assert not second.complete
    assert second.tally.counted == 4
    assert one_comparison(stage_table(experiment)) is None
    ids = [run.id, run_of(experiment, "mul_tokens", "drills").id]
    accuracies = latest_accuracies(ids, BENCHMARK)
    assert [
        (a.correct, a.counted, a.problems, a.complete) for a in (accuracies[ids[0]], accuracies[ids[1]])
    ] == [(0, 10, 10, True), (4, 4, 10, False)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"problems_sha256": "1" * 64}, "the problems differ"),
        ({"prompt_format": "Q: {question}"}, "the prompt format differs"),
        ({"decoding": "sampled"}, "the decoding differs (greedy against sampled)"),
        ({"max_new_tokens": 64}, "the token limit differs (28 against 64)"),
        ({"grader": "one_step_multiplication/2"}, "the grader differs"),
        ({"grader": None}, "the grader is not recorded"),
    ],
)
def test_a_comparison_of_unlike_evaluations_is_refused(change, reason):
    experiment = make_experiment(stages=ONE_STAGE)
    evaluate(experiment, "baseline", "drills", [True] * 10)
    evaluate(experiment, "mul_tokens", "drills", [False] * 10, settings=EVALUATION_SETTINGS | change)
    table = stage_table(experiment)
    refusal = one_comparison(table)
    assert isinstance(refusal, Refusal)
    assert reason in refusal.reason
    assert [cell.complete for cell in table.cells()] == [True, True]  # each still has its own number


def test_a_comparison_of_other_problems_is_refused_even_under_one_hash():
    experiment = make_experiment(stages=ONE_STAGE)
    evaluate(experiment, "baseline", "drills", [True] * 10)
    evaluate(experiment, "mul_tokens", "drills", [True] * 10)
    Outcome.objects.filter(problem="p0003", correct=True).last().delete()
    Outcome.objects.create(
        evaluation=Outcome.objects.last().evaluation,
        problem="elsewhere",
        prompt="",
        completion="",
        reference="",
        tokens=1,
        correct=True,
        mul_tokens=0,
        repeats=False,
        hit_limit=False,
    )
    assert one_comparison(stage_table(experiment)).reason == "only 9 of 10 problems are in both evaluations"


def seeded(differences, problems=100, **fields):
    """An experiment of one stage whose seeds show these differences, in problems of 100."""
    experiment = make_experiment(stages=ONE_STAGE, seeds=range(len(differences)), **fields)
    for seed, difference in enumerate(differences):
        evaluate(experiment, "baseline", "drills", [i < 40 for i in range(problems)], seed=seed)
        evaluate(
            experiment, "mul_tokens", "drills", [i < 40 + difference for i in range(problems)], seed=seed
        )
    return experiment


def test_seeds_are_compared_as_seeds_and_never_pooled_as_problems():
    table = stage_table(seeded([12, 9, 14]))
    (together,) = table.rows[0].over_seeds
    assert together.differences == pytest.approx((0.12, 0.09, 0.14))
    assert together.result.mean == pytest.approx(35 / 300)
    # Student's t at 2 degrees of freedom: 4.3027 × the standard error
    half = 4.30265 * np.std([0.12, 0.09, 0.14], ddof=1) / np.sqrt(3)
    assert together.result.interval == pytest.approx((35 / 300 - half, 35 / 300 + half), abs=1e-5)
    assert together.verdict.word == "supported"
    assert table.rows[0].means == pytest.approx((0.40, 0.40 + 35 / 300))
    assert [seed.comparisons[0].counts.problems for seed in table.rows[0].seeds] == [100] * 3


def test_seeds_that_disagree_do_not_rank_the_conditions():
    (together,) = stage_table(seeded([20, -18, 15])).rows[0].over_seeds
    assert together.verdict.word == "not distinguishable"


def test_an_evaluation_alone_is_no_change_of_its_parent():
    row = stage_table(make_experiment()).rows[-1]
    assert row.last and row.changes_parent
    assert not replace(row, kind="evaluate").changes_parent
    assert not replace(row, last=False).changes_parent


def test_two_seeds_are_suggestive_at_most():
    (together,) = stage_table(seeded([12, 13])).rows[0].over_seeds
    assert together.result.p < 0.05
    assert together.verdict.word == "suggestive"


def test_another_metric_and_another_baseline():
    experiment = make_experiment(stages=ONE_STAGE, conditions=("baseline", "mul_tokens", "third"))
    for name in ("baseline", "mul_tokens", "third"):
        evaluation = evaluate(experiment, name, "drills", [True] * 20)
    for outcome in islice(evaluation.outcomes.order_by("problem"), 8):
        outcome.repeats = True
        outcome.save()
    table = stage_table(experiment, metric="repetition_rate", baseline="third")
    assert table.conditions == ("third", "baseline", "mul_tokens")
    first, second, _ = table.rows[0].seeds[0].cells
    assert (first.count, second.count) == (8, 0)
    comparison = table.rows[0].seeds[0].comparisons[0]
    assert isinstance(comparison, Comparison)
    assert (comparison.counts.gained, comparison.counts.lost) == (0, 8)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"benchmark": "gsm9k"}, "there is no benchmark 'gsm9k' in this experiment"),
        ({"baseline": "baselin"}, "did you mean 'baseline'"),
        ({"metric": "speed"}, "there is no metric 'speed'"),
    ],
)
def test_unknown_choices_are_refused(choice, message):
    with pytest.raises(ValueError, match=message):
        stage_table(make_experiment(stages=ONE_STAGE), **choice)


def test_seven_queries_whatever_the_size(django_assert_num_queries):
    experiment = make_history("demo-1", done=6)
    with django_assert_num_queries(7) as queries:  # one for each problem's marks, as problems share operands
        table = stage_table(experiment)
    assert table.complete
    assert len(list(table.cells())) == 12
    assert not any("completion" in query["sql"] for query in queries.captured_queries)  # no text is loaded
    StageRun.objects.update(identity="1" * 64)
    with django_assert_num_queries(8):  # and one for what could be seen before
        stage_table(experiment)


def test_the_means_in_the_verdict_sentence_are_of_the_seeds_that_are_compared():
    experiment = seeded([12, 9, 14])
    Evaluation.objects.filter(
        attempt__stage_run__seed=2, attempt__stage_run__condition__name="mul_tokens"
    ).delete()
    (sentence,) = verdict_sentences(stage_table(experiment))
    assert "mean over 2 seeds: mul_tokens 50.5 %, baseline 40.0 %" in plain(sentence.numbers)
    Evaluation.objects.filter(attempt__stage_run__seed=1).delete()
    evaluate(experiment, "baseline", "drills", [False] * 100, seed=1)  # alone: it must not lower the mean
    evaluate(experiment, "mul_tokens", "drills", [i < 50 for i in range(100)], seed=2)
    (sentence,) = verdict_sentences(stage_table(experiment))
    assert "mean over 2 seeds: mul_tokens 51.0 %, baseline 40.0 %" in plain(sentence.numbers)
