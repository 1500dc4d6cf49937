"""Mean amounts: intervals that cover as often as they say, against scipy, and in the stage table in their own unit."""

import csv
import io

import numpy as np
import pytest
from scipy import stats

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user
from webapp.comparison.cells import MeansComparison
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.files import text_formats
from webapp.results.models import Evaluation, Outcome
from webapp.results.token_counts import measured
from webapp.runs.models import State
from webapp.statistics.amounts import mean_amount, paired_amounts
from webapp.statistics.proportions import wilson

TIMES = 1000  # the standard error of a coverage is then 0.7 points


def lengths(draw, n, shift=0.0):
    """Two completions a problem, as long as problems of unlike difficulty make them, cut at a limit."""
    difficulty = draw.normal(4.3, 0.4, n)
    return (np.minimum(np.exp(difficulty + add + draw.normal(0, 0.2, n)).round(), 256) for add in (0, shift))


def rare(draw, n, more):
    """Counts of which most are 0 and which cluster in problems."""
    clustered = draw.gamma(0.5, 0.2, n)
    return draw.poisson(clustered), draw.poisson(clustered + more)


@pytest.mark.parametrize("n", [100, 600])
@pytest.mark.parametrize(
    ("name", "draw_one"),
    [
        ("lengths", lambda draw, n: next(iter(lengths(draw, n)))),
        ("clustered", lambda draw, n: draw.negative_binomial(0.5, 0.625, n)),
        ("counts", lambda draw, n: draw.poisson(0.1, n)),
    ],
)
def test_the_interval_of_a_mean_covers_it(n, name, draw_one):
    draw = np.random.default_rng(7)
    true = {"lengths": draw_one(draw, 2_000_000).mean(), "clustered": 0.3, "counts": 0.1}[name]
    found = [mean_amount(draw_one(draw, n)) for _ in range(TIMES)]
    assert 0.93 <= np.mean([one.low <= true <= one.high for one in found]) <= 0.98


@pytest.mark.parametrize("n", [150, 600])
@pytest.mark.parametrize(
    ("draw_both", "true"),
    [
        (lambda draw, n: rare(draw, n, 0.0), 0.0),
        (lambda draw, n: rare(draw, n, 0.3), 0.3),
        (lambda draw, n: (np.zeros(n), draw.random(n) < 0.1), 0.1),
        (lambda draw, n: (np.zeros(n), 10 + draw.poisson(1.0, n)), 11.0),
        (lambda draw, n: lengths(draw, n, 0.1), None),
    ],
)
def test_the_interval_of_a_paired_difference_covers_it(n, draw_both, true):
    draw = np.random.default_rng(8)
    if true is None:
        first, second = draw_both(draw, 2_000_000)
        true = float((second - first).mean())
    found = [paired_amounts(*draw_both(draw, n)).interval for _ in range(TIMES)]
    assert 0.93 <= np.mean([one.low <= true <= one.high for one in found]) <= 0.98


def test_p_belongs_to_the_interval_and_nears_the_t_test():
    first, second = lengths(np.random.default_rng(3), 600, 0.02)
    found, plain = paired_amounts(first, second), stats.ttest_rel(second, first)
    assert found.mean == pytest.approx((second - first).mean())
    assert found.p == pytest.approx(plain.pvalue, rel=0.1)
    edge = paired_amounts(first, second, level=1 - found.p).interval
    assert min(abs(edge.low), abs(edge.high)) == pytest.approx(0, abs=1e-9)


def test_for_counts_it_is_nearly_wilsons_where_few_are_not_0():
    ones = np.arange(2000) < 12
    found, known = mean_amount(ones), wilson(12, 2000)
    assert found == pytest.approx(known, rel=0.02)


def test_nothing_that_differs_is_no_certainty():
    assert mean_amount([0.0] * 100).high == pytest.approx(stats.t.ppf(0.975, 99) ** 2 / 100)
    assert mean_amount([9.0] * 100) is None
    same = paired_amounts([9.0] * 100, [9.0] * 100)
    assert (same.mean, same.p) == (0.0, 1.0)
    assert same.interval.low < 0 < same.interval.high
    one_more = paired_amounts([0.0] * 100, [1.0] * 100)
    assert one_more.interval.low < 1 < one_more.interval.high


@pytest.fixture
def experiment(db):
    """One stage; the second condition writes mul-tokens and longer completions in every third problem."""
    made = make_experiment(stages=(("drills", "sft"),))
    for run in made.runs.select_related("condition"):
        one = add_evaluation(make_attempt(run, state=State.SUCCEEDED), [True] * 90)
        if run.condition.position:
            for i in range(0, 90, 3):
                one.outcomes.filter(problem=f"p{i:04d}").update(mul_tokens=1 + i % 2, tokens=12)
    return made


def test_the_table_compares_the_same_problems(experiment):
    table = stage_table(experiment, metric="tokens_per_response")
    (first, second), (one,) = table.rows[0].seeds[0].cells, table.rows[0].seeds[0].comparisons
    assert isinstance(one, MeansComparison)
    assert (first.rate, second.rate, second.count) == (9, 10, None)
    assert second.fraction == "900 in 90"
    assert one.delta == pytest.approx(1)
    differences = [3.0 if i % 3 == 0 else 0.0 for i in range(90)]
    assert one.interval == paired_amounts([0.0] * 90, differences).interval
    assert one.verdict.word == "differ"
    said = verdict_sentences(table)[0]
    assert "10.0 (900 in 90), baseline 9.0 (810 in 90): +1.0 tokens" in said.numbers
    assert "%" not in said.numbers.replace("95 %", "")


def test_pairs_are_formed_by_problem_and_partial_overlap_is_refused(experiment):
    other = Evaluation.objects.get(attempt__stage_run__condition__name="mul_tokens")
    Outcome.objects.filter(evaluation=other, problem="p0004").update(problem="q0004")
    (one,) = stage_table(experiment, metric="mul_tokens_per_response").rows[0].seeds[0].comparisons
    assert one.reason == "only 89 of 90 problems are in both evaluations"


def test_page_and_exports_write_it_in_its_unit(experiment, client):
    client.force_login(make_user())
    query = "?metric=mul_tokens_per_response"
    page = client.get(f"/experiments/demo-1/comparison/{query}").content.decode()
    assert "Δ mul-tokens" in page
    assert ">0.500</a>" in page
    assert "+0.500" in page
    assert "gained / lost" not in page
    (_, row) = csv.DictReader(
        io.StringIO(client.get(f"/experiments/demo-1/table.csv{query}").content.decode())
    )
    one = stage_table(experiment, metric="mul_tokens_per_response").rows[0].seeds[0].comparisons[0]
    assert (float(row["rate"]), float(row["delta"]), float(row["means_p"])) == (0.5, 0.5, one.p)
    written = text_formats.markdown(
        stage_tables.stages(stage_table(experiment, metric="mul_tokens_per_response"))
    )
    assert "Δ mul-tokens" in written
    assert "0.500 (45 in 90)" in written


def test_only_amounts_are_measured(experiment):
    with pytest.raises(ValueError, match="there is no amount"):
        measured([1], "completion")


@pytest.mark.parametrize(("differ", "compared"), [(19, False), (20, True), (0, False)])
def test_too_few_problems_that_differ_have_no_interval(experiment, differ, compared):
    written = Outcome.objects.filter(evaluation__attempt__stage_run__condition__name="mul_tokens")
    written.update(mul_tokens=0)
    for i in range(differ):
        written.filter(problem=f"p{i:04d}").update(mul_tokens=1)
    (one,) = stage_table(experiment, metric="mul_tokens_per_response").rows[0].seeds[0].comparisons
    assert isinstance(one, MeansComparison) == compared
    if not compared:
        assert one.reason == f"only {differ} of 90 problems differ: too few for an interval of the mean"
