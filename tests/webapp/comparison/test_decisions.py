"""Go, no-go or neither, by the interval against the threshold of the launch; a verdict over two seeds has an interval."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user, run_of
from webapp.comparison.decisions import decisions, word
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.comparison.tables import stage_tables
from webapp.experiments.models import Experiment
from webapp.files import text_formats
from webapp.files.number_text import plain
from webapp.reports.report import report
from webapp.results.models import Evaluation
from webapp.runs.models import StageRun, State
from webapp.statistics.intervals import Interval
from webapp.statistics.power import needed_seeds
from webapp.statistics.seeds import over_seeds

pytestmark = pytest.mark.django_db
STAGE = (("existing", "evaluate"),)


def experiment_of(
    *differences: int, threshold: float | None = 0.05, problems: int = 1000, right: int = 200
) -> Experiment:
    """An experiment with a seed for each difference, in problems; 20 are lost whatever the difference."""
    recipe = {
        "go_threshold": threshold,
        "conditions": [{"name": "baseline"}, {"name": "mul_tokens"}],
        "stages": [],
    }
    made = make_experiment("existing-1", stages=STAGE, seeds=range(len(differences)), recipe=recipe)
    for seed, difference in enumerate(differences):
        for condition, solved in (
            ("baseline", range(right)),
            ("mul_tokens", range(20, right + 20 + difference)),
        ):
            attempt = make_attempt(run_of(made, condition, "existing", seed), state=State.SUCCEEDED)
            add_evaluation(attempt, [i in solved for i in range(problems)])
    return made


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.06, 0.1), "go"),
        ((0.05, 0.1), "not decided"),  # an end that touches decides nothing
        ((0.01, 0.1), "not decided"),
        ((-0.1, 0.05), "not decided"),
        ((-0.1, 0.04), "no-go"),
    ],
)
def test_only_a_whole_interval_decides(interval: tuple[float, float], expected: str) -> None:
    assert word(Interval(*interval), 0.05) == expected


@pytest.mark.parametrize(
    ("difference", "expected", "headline"),
    [
        (110, "go", "Go: after existing, mul_tokens minus baseline is more than +5.0 points."),
        (0, "no-go", "No-go: after existing, mul_tokens minus baseline is less than +5.0 points."),
        (45, "not decided", "Not decided: after existing, mul_tokens minus baseline may be more than +5.0"),
    ],
)
def test_the_decision_is_by_the_paired_interval(difference: int, expected: str, headline: str) -> None:
    (decision,) = decisions(stage_table(experiment_of(difference)))
    assert decision.word == expected
    assert decision.headline.startswith(headline)
    assert f"Paired difference {'+' if difference else ''}{difference / 10:.1f} points" in decision.numbers
    assert "one seed does not say how others would turn out" in decision.limits
    assert ("would decide" in decision.limits) == (expected == "not decided")


def test_what_would_decide_is_said() -> None:
    (decision,) = decisions(stage_table(experiment_of(40)))
    assert "problems more would decide" in decision.limits
    Experiment.objects.all().delete()
    (exact,) = decisions(stage_table(experiment_of(50)))  # 50 of 1,000: the threshold itself
    assert "no number of problems would decide" in exact.limits
    Experiment.objects.all().delete()
    (near,) = decisions(stage_table(experiment_of(0, threshold=1e-300)))
    assert "no number of problems would decide" in near.limits


def test_several_seeds_decide_together() -> None:
    (decision,) = decisions(stage_table(experiment_of(100, 110, 105)))
    assert decision.word == "go"
    assert "t interval over the seeds" in decision.numbers
    Experiment.objects.all().delete()
    (decision,) = decisions(stage_table(experiment_of(100, 20)))
    assert decision.word == "not decided"
    assert "seeds would decide" in decision.limits


def test_a_decision_is_limited_as_its_verdict_is() -> None:
    made = experiment_of(100, 101)
    (decision,) = decisions(stage_table(made))
    assert (decision.word, decision.suggestive) == ("go", True)
    assert decision.headline.startswith("Go, at most suggestive: after existing, mul_tokens minus baseline")
    assert "Two seeds can suggest a difference" in decision.limits
    assert "| go, at most suggestive |" in report(made)
    (found,) = json.loads(text_formats.json(stage_tables.stages(stage_table(made))))["decisions"]
    assert (found["word"], found["suggestive"]) == ("go", True)
    Experiment.objects.all().delete()
    made = experiment_of(100, 110, 105, 108)
    assert decisions(stage_table(made))[0].headline.startswith("Go: ")
    run_of(made, "mul_tokens", "existing", 3).attempts.all().delete()
    StageRun.objects.filter(pk=run_of(made, "mul_tokens", "existing", 3).pk).update(state=State.CANCELLED)
    (decision,) = decisions(stage_table(made))
    assert decision.headline.startswith("Go, at most suggestive: ")
    assert "Seed 3 of the plan will not come" in decision.limits


def test_a_decision_that_was_chosen_after_seeing_is_suggestive_at_most() -> None:
    made = experiment_of(0)
    Evaluation.objects.update(at=made.created_at - timedelta(days=1))
    (decision,) = decisions(stage_table(made))
    assert decision.headline.startswith("No-go, at most suggestive: ")
    assert "Chosen after seeing" in decision.limits
    Experiment.objects.all().delete()
    made = experiment_of(45)
    Evaluation.objects.update(at=made.created_at - timedelta(days=1))
    assert decisions(stage_table(made))[0].headline.startswith("Not decided: ")


def test_the_seeds_that_a_threshold_takes() -> None:
    needed = needed_seeds([0.10, 0.02], 0.05)
    assert needed is not None
    wanted = over_seeds([0.10, 0.02] * (needed // 2 + 1))
    assert wanted.interval is not None and wanted.interval.low > 0.05
    assert needed_seeds([0.10, 0.02], 0.0) < needed  # type: ignore[operator]
    assert needed_seeds([0.1, 0.1]) is None
    assert needed_seeds([0.1, -0.1]) is None


def test_a_decision_is_about_what_was_fixed_at_launch() -> None:
    made = experiment_of(110)
    assert decisions(stage_table(made, metric="repetition_rate")) == []
    assert decisions(stage_table(made, baseline="mul_tokens")) == []
    Experiment.objects.all().delete()
    assert decisions(stage_table(experiment_of(110, threshold=None))) == []


def test_before_there_is_a_pair_nothing_is_decided() -> None:
    recipe = {"go_threshold": 0.05, "conditions": [{"name": "baseline"}]}
    made = make_experiment("existing-1", stages=STAGE, recipe=recipe)
    (decision,) = decisions(stage_table(made))
    assert (decision.word, decision.numbers) == ("not decided", "")


def test_page_report_and_exports_tell_the_decision() -> None:
    made = experiment_of(110)
    client = Client()
    client.force_login(make_user())
    headline = "Go: after existing, mul_tokens minus baseline is more than +5.0 points."
    page = client.get("/experiments/existing-1/comparison/").content.decode()
    assert page.index(headline) < page.index('id="stage-table"')
    assert f"- {headline}" in report(made).replace("\\_", "_")
    table = stage_table(made)
    assert f"**{headline}**" in text_formats.markdown(stage_tables.stages(table))
    (found,) = json.loads(text_formats.json(stage_tables.stages(table)))["decisions"]
    assert (found["word"], found["headline"]) == ("go", headline)


def test_two_seeds_give_a_verdict_with_an_interval() -> None:
    """Hypothesis D with two seeds: never a number alone."""
    (sentence,) = verdict_sentences(stage_table(experiment_of(110, 30, threshold=None)))
    assert sentence.verdict is not None
    assert sentence.verdict.word == "not distinguishable"
    numbers = plain(sentence.numbers)
    assert "Mean over 2 seeds" in numbers
    assert "paired difference +7.0 points, 95 % t interval -43.8 to +57.8" in numbers  # 7 ± 12.706 × 4
    assert "Two seeds can suggest a difference between conditions, not support one." in sentence.limits
    Experiment.objects.all().delete()
    (agreeing,) = verdict_sentences(stage_table(experiment_of(110, 111, threshold=None)))
    assert agreeing.verdict is not None
    assert agreeing.verdict.word == "suggestive"


def test_two_equal_seeds_show_their_own_intervals() -> None:
    (sentence,) = verdict_sentences(stage_table(experiment_of(0, 0, threshold=None, problems=60, right=0)))
    assert sentence.verdict is not None
    assert sentence.verdict.word == "not distinguishable"
    assert "own 95 % intervals lie within" in sentence.numbers


def test_the_same_difference_in_every_seed_is_not_tested_and_not_called_equal() -> None:
    experiment = experiment_of(100, 100, threshold=None)
    table = stage_table(experiment)
    assert f"Not tested, planned question: {plain(verdict_sentences(table)[0].headline)}" in report(
        experiment
    )
    (sentence,) = verdict_sentences(table)
    assert sentence.verdict is not None
    assert sentence.verdict.word == "not tested"
    assert "not distinguishable" not in str(sentence)
    assert "differ by the same in every seed, which is not tested" in sentence.headline
    assert {seed.comparisons[0].verdict.word for seed in table.rows[0].seeds} == {"differ"}  # type: ignore[union-attr]
    assert "Add seeds to test it" in sentence.limits
