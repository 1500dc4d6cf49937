"""Planned gains, interactions and equivalence in a table: what is paired, what is said, and changes over seeds."""

import numpy as np
import pytest
from django.test import Client
from scipy import stats

from tests.factories import (
    BENCHMARK,
    add_evaluation,
    add_samples,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from webapp.comparison.cells import Comparison, MeansComparison, Refusal
from webapp.comparison.corrections import corrections
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.stage_changes import last_gains, over_the_seeds
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain, points, points_interval
from webapp.pages.overview.newest_results import last_results
from webapp.reports.report import report
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import State
from webapp.statistics.new_problems import for_new_problems
from webapp.statistics.proportions import mcnemar_midp, mean_difference, tango, tango_within

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))
PROBLEMS = 150
Marks = dict[tuple[str, str], list[bool]]


def marks(seed: int = 0, gain: float = 0.25, more: float = 0.25) -> Marks:
    """Right and wrong of both conditions before and after: the second one gains `more` on top."""
    draw = np.random.default_rng(seed)
    found: Marks = {}
    for name, share in (("baseline", gain), ("mul_tokens", gain + more)):
        before = draw.random(PROBLEMS) < 0.3
        found[name, "mixed"] = before.tolist()
        found[name, "grpo"] = (before | (draw.random(PROBLEMS) < share)).tolist()
    return found


def experiment_of(question: dict[str, object], *every: Marks, name: str = "demo-1") -> Experiment:
    """Two stages, a seed for each of the marks."""
    recipe = {"primary": {"benchmark": BENCHMARK} | question, "test": "midp"}
    made = make_experiment(name, stages=STAGES, seeds=range(len(every)), recipe=recipe)
    for seed, one in enumerate(every):
        for (condition, stage), right in one.items():
            add_evaluation(make_attempt(run_of(made, condition, stage, seed), state=State.SUCCEEDED), right)
    return made


def gains(one: Marks, condition: str) -> np.ndarray:
    return np.array(one[condition, "grpo"], float) - np.array(one[condition, "mixed"], float)


def test_a_gain_is_the_stage_against_its_start_in_one_condition():
    one = marks()
    table = stage_table(experiment_of({"contrast": "gain", "condition": "mul_tokens"}, one))
    (contrast,) = table.contrasts
    (found,) = contrast.seeds
    assert isinstance(found, Comparison)
    values = gains(one, "mul_tokens")
    gained, lost = int((values > 0).sum()), int((values < 0).sum())
    assert (found.counts.gained, found.counts.lost) == (gained, lost)
    assert found.p == mcnemar_midp(gained, lost)
    assert found.interval == tango(gained, lost, PROBLEMS)
    assert (found.family.role, found.family.tests) == ("primary", 1)
    assert {row.seeds[0].comparisons[0].family.role for row in table.rows} == {"secondary"}  # type: ignore[union-attr]
    sentence = verdict_sentences(table)[0]
    assert sentence.role == "primary"
    assert sentence.headline == "grpo raised Accuracy in mul_tokens."
    assert "mid-p McNemar p" in plain(sentence.numbers)
    assert "what the last stage changes in mul_tokens" in corrections(table)


def test_without_a_name_every_condition_gains_for_itself():
    table = stage_table(experiment_of({"contrast": "gain"}, marks()))
    assert [one.condition for one in table.contrasts] == ["baseline", "mul_tokens"]
    assert {one.seeds[0].family.tests for one in table.contrasts} == {2}  # type: ignore[union-attr]


def test_an_interaction_is_the_difference_of_the_gains_in_each_problem():
    one = marks()
    table = stage_table(experiment_of({"contrast": "interaction"}, one))
    ((found,),) = (contrast.seeds for contrast in table.contrasts)
    assert isinstance(found, MeansComparison)
    expected = mean_difference(gains(one, "mul_tokens") - gains(one, "baseline"), largest=2.0)
    assert (found.delta, found.p) == (expected.mean, expected.p)
    assert found.interval == pytest.approx(expected.interval)
    sentence = verdict_sentences(table)[0]
    assert "paired mean test" in sentence.numbers and "difference of the gains" in sentence.numbers
    assert sentence.headline == "What grpo changed in Accuracy is higher in mul_tokens than in baseline."
    asked = "what the last stage changes in each condition minus what it changes in the baseline"
    assert asked in corrections(table)


@pytest.mark.parametrize(
    ("fallen", "headline"),
    [
        ((0.6, 0.1), "What grpo changed in Accuracy is higher in mul_tokens than in baseline."),
        ((0.1, 0.6), "What grpo changed in Accuracy is lower in mul_tokens than in baseline."),
        (
            (0.3, 0.3),
            "grpo is not shown to change Accuracy in mul_tokens by more or less than in baseline.",
        ),
    ],
)
def test_an_interaction_of_two_losses_does_not_read_as_a_gain(fallen: tuple[float, float], headline: str):
    """Both conditions get worse; where baseline lost more, mul_tokens was said to have been raised more."""
    one: Marks = {}
    for name, share in zip(("baseline", "mul_tokens"), fallen, strict=True):
        one[name, "mixed"] = [True] * PROBLEMS
        one[name, "grpo"] = [place >= share * PROBLEMS for place in range(PROBLEMS)]
    table = stage_table(experiment_of({"contrast": "interaction"}, one))
    assert all(gains(one, name).mean() < 0 for name in ("baseline", "mul_tokens"))
    assert verdict_sentences(table)[0].headline == headline


def test_over_seeds_an_interaction_is_students_t_on_one_difference_of_gains_a_seed():
    every = [marks(seed, more=0.15) for seed in range(6)]
    made = experiment_of({"contrast": "interaction"}, *every)
    (contrast,) = stage_table(made).contrasts
    together = contrast.over_seeds
    assert together is not None
    values = [gains(one, "mul_tokens").mean() - gains(one, "baseline").mean() for one in every]
    oracle = stats.ttest_1samp(values, 0)
    assert together.p == pytest.approx(oracle.pvalue)
    assert together.interval == pytest.approx(oracle.confidence_interval(0.95))
    assert together.verdict.word == "supported"
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    headline = "What grpo changed in Accuracy is higher in mul_tokens than in baseline, which is supported."
    assert headline in page
    assert f"Supported, planned question: {headline}" in report(made).replace("\\_", "_")


@pytest.mark.parametrize(
    "question", [{"contrast": "interaction"}, {"contrast": "gain", "condition": "mul_tokens"}]
)
def test_single_seeds_are_exploratory_and_have_an_interval_alone_until_the_planned_ones_are_in(question):
    every = [marks(seed, more=0.35) for seed in range(3)]
    made = experiment_of(question, *every)
    found = stage_table(made).contrasts[0].seeds
    assert {(one.family.role, one.verdict.word) for one in found} == {("exploratory", "differ")}  # type: ignore[union-attr]
    run_of(made, "mul_tokens", "grpo", 2).attempts.all().delete()
    table = stage_table(made)
    first, _, missing = table.contrasts[0].seeds
    assert isinstance(first, Comparison | MeansComparison) and missing is None
    assert (first.p, first.verdict.word, first.family.role) == (None, "interim", "exploratory")
    assert first.interval == found[0].interval  # type: ignore[union-attr]
    rows = [row for row in stage_tables.rows(table) if row["contrast"] == question["contrast"]]
    assert [row["role"] for row in rows] == ["exploratory", "exploratory", "primary"]
    assert {row["mcnemar_p"] or row["means_p"] or row["t_p"] for row in rows} == {None}
    run_of(made, "mul_tokens", "grpo", 1).attempts.all().delete()
    sentence = verdict_sentences(stage_table(made))[0]
    assert "is not decided yet: one seed is in." in sentence.headline
    assert "interval" in sentence.numbers and "p " not in plain(sentence.numbers)


def test_where_conditions_start_from_one_run_it_equals_the_difference():
    one = marks()
    one["mul_tokens", "mixed"] = one["baseline", "mixed"]
    made = experiment_of({"contrast": "interaction"}, one)
    run = run_of(made, "mul_tokens", "mixed")
    run.reused_from = run_of(made, "baseline", "mixed")
    run.save()
    table = stage_table(made)
    (contrast,) = table.contrasts
    (found,) = contrast.seeds
    assert isinstance(found, Comparison)
    values = np.array(one["mul_tokens", "grpo"], int) - np.array(one["baseline", "grpo"], int)
    assert (found.counts.gained, found.counts.lost) == ((values > 0).sum(), (values < 0).sum())
    assert (
        "start from the same run of mixed, so it equals the difference after grpo"
        in verdict_sentences(table)[0].limits
    )


def test_a_start_that_both_conditions_share_needs_no_numbers_of_its_own():
    """Only grpo drew samples, so that its start has no pass@4; the comparison page failed."""
    made = experiment_of({"contrast": "interaction", "metric": "pass_at_4"}, marks())
    run = run_of(made, "mul_tokens", "mixed")
    run.reused_from = run_of(made, "baseline", "mixed")
    run.save()
    draw = np.random.default_rng(0)
    for evaluation in Evaluation.objects.filter(attempt__stage_run__stage__name="grpo"):
        add_samples(evaluation, (draw.random((PROBLEMS, 4)) < 0.3).tolist())
    for run in made.runs.filter(stage__name="grpo"):
        run.spec["benchmarks"][0]["samples"] = 4
        run.save()
    table = stage_table(made)
    (contrast,) = table.contrasts
    assert not contrast.cells[0][0].complete and isinstance(contrast.seeds[0], MeansComparison)
    after = [
        plain(f"{name} {100 * contrast.cells[0][place].rate:.1f}")
        for name, place in (("mul_tokens", 3), ("baseline", 1))
    ]
    numbers = plain(verdict_sentences(table)[0].numbers)
    assert numbers.startswith(after[0]) and after[1] in numbers and "→" not in numbers
    client = Client()
    client.force_login(make_user())
    assert client.get("/experiments/demo-1/comparison/").status_code == 200


def test_other_problems_are_refused_and_nothing_is_said_before_all_four_are_there():
    one = marks()
    made = experiment_of({"contrast": "interaction"}, one)
    outcome = Outcome.objects.filter(
        evaluation__attempt__stage_run=run_of(made, "mul_tokens", "mixed")
    ).first()
    assert outcome is not None
    outcome.problem = "another"
    outcome.save()
    (contrast,) = stage_table(made).contrasts
    assert isinstance(contrast.seeds[0], Refusal)
    run_of(made, "baseline", "mixed").attempts.all().delete()
    table = stage_table(made)
    assert table.contrasts[0].seeds == (None,)
    assert verdict_sentences(table)[0].headline.startswith(
        "Whether grpo changed Accuracy in mul_tokens by more or less than in baseline is not decided yet"
    )


def test_equivalence_is_read_from_two_one_sided_tests():
    one = marks(more=0.0)
    one["mul_tokens", "grpo"] = [
        not right if i in (3, 40) else right for i, right in enumerate(one["baseline", "grpo"])
    ]
    table = stage_table(experiment_of({"contrast": "equivalence", "margin": 0.05}, one))
    found = table.rows[-1].seeds[0].comparisons[0]
    assert isinstance(found, Comparison)
    counts = found.counts.gained, found.counts.lost, PROBLEMS
    assert found.p == tango_within(*counts, 0.05)
    assert found.interval == tango(*counts, 0.9)
    assert found.verdict.word == "equivalent" and not found.disagrees
    sentence = verdict_sentences(table)[0]
    assert sentence.headline.endswith("checkpoints are equivalent within ± 5.0 points.")
    assert "90 % interval" in sentence.numbers and "two one-sided tests p" in plain(sentence.numbers)
    assert "within ± 5 points of the baseline" in corrections(table)
    assert table.rows[0].seeds[0].comparisons[0].family.margin is None  # type: ignore[union-attr]


def test_what_the_last_stage_changed_is_students_t_over_the_seeds():
    """Six of six seeds with +15 points, none of which is beyond chance alone: p 0.0046, which read "Not shown"."""
    changes = [9, 6, 15, 12, 24, 24]  # of 100 problems
    made = make_experiment(stages=STAGES, seeds=range(6), conditions=("baseline",))
    for seed, change in enumerate(changes):
        for stage, right in (("mixed", range(30)), ("grpo", range(15, 45 + change))):
            attempt = make_attempt(run_of(made, "baseline", stage, seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i in right for i in range(100)])
    table = stage_table(made)
    (change,) = over_the_seeds(last_gains(table), table)
    assert change.p == pytest.approx(stats.ttest_1samp(changes, 0).pvalue)
    assert change.p == pytest.approx(0.0046, abs=0.0008)
    assert not all(one.p < 0.05 for one in change.gains)
    text = report(made)
    assert "Shown over 6 seeds: a change of Accuracy by grpo after mixed in baseline: +9.0, +6.0" in text
    assert "mean +15.0, 95 % t interval" in text
    rows = [[(i in range(15, 45 + one)) - (i in range(30)) for i in range(100)] for one in changes]
    assert change.new_problems == for_new_problems(rows, largest=1.0)
    assert change.new_problems is not None and "points in seeds 0, 1, 2, 3, 4, 5; mean" in text
    assert f", for new problems {plain(points_interval(change.new_problems.interval))}; p" in text


def test_planned_gains_and_interactions_have_rows_in_files():
    every = [marks(seed, more=0.15) for seed in range(3)]
    table = stage_table(experiment_of({"contrast": "interaction"}, *every))
    rows = stage_tables.rows(table)
    own = [row for row in rows if row["contrast"] == "interaction"]
    assert [(row["seed"], row["over_seeds"]) for row in own] == [
        (0, False),
        (1, False),
        (2, False),
        (None, True),
    ]
    assert {(row["stage"], row["start_stage"], row["condition"], row["baseline"]) for row in own} == {
        ("grpo", "mixed", "mul_tokens", "baseline")
    }
    (contrast,) = table.contrasts
    assert contrast.over_seeds is not None
    mean = own[-1]
    assert (mean["delta"], mean["t_p"], mean["role"]) == (
        contrast.over_seeds.delta,
        contrast.over_seeds.p,
        "primary",
    )
    assert mean["rate"] is mean["accuracy"] is mean["correct"] is None
    others = [row for row in rows if row not in own]
    assert {row["contrast"] for row in others} == {None, "difference"}
    assert len(stage_tables.details(table).sheet.records()) == 12, "evaluations alone"
    (gain,) = [
        row
        for row in stage_tables.rows(
            stage_table(
                experiment_of({"contrast": "gain", "condition": "mul_tokens"}, marks(), name="demo-2")
            )
        )
        if row["contrast"] == "gain"
    ]
    assert gain["gained"] is not None and gain["baseline"] is None and gain["mcnemar_p"] is not None


def test_the_overview_answers_the_planned_gain_or_interaction():
    every = [marks(seed, more=0.15) for seed in range(6)]
    made = experiment_of({"contrast": "interaction"}, *every)
    ((found,),) = (one.contrasts for one in last_results())
    assert (found.stage, found.condition, found.position) == ("mixed → grpo", "mul_tokens", 1)
    assert found.against == "gain − baseline’s"
    assert found.verdict is not None and found.verdict.word == "supported"
    client = Client()
    client.force_login(make_user())
    page = client.get("/").content.decode()
    assert "mixed → grpo" in page and "gain − baseline’s" in page and "verdict-supported" in page
    (contrast,) = stage_table(made).contrasts
    assert contrast.over_seeds is not None and plain(found.delta) == plain(points(contrast.over_seeds.delta))


def test_an_amount_is_told_in_its_unit_on_the_overview():
    made = experiment_of({"metric": "tokens_per_response"}, marks())
    draw = np.random.default_rng(3)
    for outcome in (outcomes := list(Outcome.objects.order_by("pk"))):
        outcome.tokens = int(draw.integers(5, 40))
    Outcome.objects.bulk_update(outcomes, ["tokens"])
    ((found,),) = (one.contrasts for one in last_results())
    (row,) = [one for one in stage_table(made).rows if one.last]
    compared = row.seeds[0].comparisons[0]
    assert isinstance(compared, MeansComparison)
    assert plain(found.delta) == f"{compared.delta:+.1f} tokens".replace("-", "−")
