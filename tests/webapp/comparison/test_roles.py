"""The planned question in a table: full level for it, one family for other stages, and nothing compared with itself."""

from datetime import timedelta

import pytest
from django.test import Client

from tests.factories import (
    BENCHMARK,
    STAGES,
    add_evaluation,
    make_attempt,
    make_experiment,
    make_user,
    run_of,
)
from training.recipes import recipe as recipes
from webapp.comparison.cells import Comparison, SameRun
from webapp.comparison.corrections import corrections
from webapp.comparison.figures.answer import differences
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import StageTable, stage_table
from webapp.comparison.tables import stage_tables
from webapp.comparison.tables.stage_sheets import stage_sheet
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.launch.launch import launch
from webapp.pages.overview.newest_results import last_results
from webapp.reports.report import report
from webapp.results.models import Evaluation
from webapp.runs.models import State
from webapp.statistics.proportions import mcnemar, mcnemar_midp, tango

pytestmark = pytest.mark.django_db
FOUR = ("baseline", "a", "b", "c")


def evaluated(
    *,
    gained: int = 30,
    lost: int = 12,
    problems: int = 150,
    question: dict[str, object] | None = None,
    **fields,
) -> Experiment:
    """An experiment in which every other condition gains and loses as many problems after every stage."""
    recipe = {
        "primary": {"benchmark": BENCHMARK} | (question or {}),
        "test": "midp",
        "conditions": [{"name": "baseline"}],
    }
    made = make_experiment(recipe=recipe, **fields)
    for run in made.runs.select_related("condition"):
        start = lost if run.condition.position else 0
        solved = range(start, start + 50 + (gained - lost if run.condition.position else 0))
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i in solved for i in range(problems)])
    return made


def compared(table: StageTable, stage: str, place: int = 0) -> Comparison:
    row = next(row for row in table.rows if row.stage == stage)
    one = row.seeds[0].comparisons[place]
    assert isinstance(one, Comparison)
    return one


def share(made: Experiment, condition: str, stage: str) -> None:
    """As a launch does where two conditions are the same: one is computed."""
    run = run_of(made, condition, stage)
    run.reused_from = run_of(made, "baseline", stage)
    run.save()


def test_the_last_stage_is_tested_at_the_full_level_however_many_there_are():
    table = stage_table(evaluated())
    last = compared(table, "grpo")
    assert (last.counts.gained, last.counts.lost) == (30, 12)
    assert last.family.role == "primary"
    assert last.adjusted_p == last.p == mcnemar_midp(30, 12)
    assert last.interval == tango(30, 12, 150, 0.95)
    others = [compared(table, stage) for stage, _ in STAGES[:-1]]
    assert {one.family.role for one in others} == {"secondary"}
    assert others[0].adjusted_p == pytest.approx(5 * others[0].p)
    assert others[0].interval == tango(30, 12, 150, 0.99)
    text = corrections(table)
    assert "is tested at α = 0.05; the 5 differences after the other stages are secondary" in text
    assert "Bonferroni: 0.01 each, intervals at 99 %" in text
    sentence = verdict_sentences(table)[0]
    assert "95 % interval" in sentence.numbers and "mid-p McNemar" in sentence.numbers
    assert "Bonferroni" not in sentence.numbers


def test_several_conditions_are_one_family():
    table = stage_table(evaluated(conditions=FOUR, stages=STAGES[-2:]))
    one = compared(table, "grpo", 2)
    assert one.family.tests == 3
    assert one.interval == tango(30, 12, 150, 1 - 0.05 / 3)
    assert one.verdict.positive == (3 * mcnemar_midp(30, 12) < 0.05)
    assert "after Bonferroni over 3 comparisons" in verdict_sentences(table)[0].numbers
    assert compared(table, "mixed").family.tests == 3
    page = stage_sheet(table).page_view
    assert [column.title for column in page.columns][:4] == ["Stage", "Condition", "Accuracy", "Δ points"]
    assert [line.condition for line in page.rows] == [*FOUR] * 2, "side by side they are wider than a page"
    assert [line.compared for line in page.rows[:2]] == [None, compared(table, "mixed")]


def test_a_named_condition_and_stage_stand_alone():
    made = evaluated(conditions=FOUR, question={"condition": "b", "stage": "mixed"}, stages=STAGES[-2:])
    table = stage_table(made)
    assert (compared(table, "mixed", 1).family.role, compared(table, "mixed", 1).family.tests) == (
        "primary",
        1,
    )
    assert compared(table, "mixed", 0).family.tests == 5
    assert (
        "the 5 other differences from the baseline are secondary, tested at α = 0.05, which they share"
        in (corrections(table))
    )
    sentences = verdict_sentences(table)
    assert [one.role for one in sentences] == ["primary"] + ["secondary"] * 3
    assert sentences[0].headline.startswith("After mixed, the b checkpoint")


def test_other_metrics_benchmarks_and_baselines_are_exploratory():
    made = evaluated(stages=STAGES[-2:])
    for choice in ({"metric": "repetition_rate"}, {"baseline": "mul_tokens"}):
        table = stage_table(made, **choice)
        one = compared(table, "grpo")
        assert (one.family.role, one.adjusted_p) == ("exploratory", one.p)
        assert corrections(table).startswith("Exploratory: the planned question is accuracy on")
        assert {sentence.label for sentence in verdict_sentences(table)} == {"Exploratory"}


def test_the_page_opens_with_the_metric_that_was_planned():
    made = evaluated(question={"metric": "repetition_rate"}, stages=STAGES[-1:])
    assert stage_table(made).metric.name == "repetition_rate"
    assert compared(stage_table(made), "grpo").family.role == "primary"
    assert compared(stage_table(made, metric="accuracy"), "grpo").family.role == "exploratory"


def test_a_checkpoint_is_never_compared_with_itself():
    made = evaluated(conditions=FOUR, stages=STAGES[-2:])
    share(made, "a", "grpo")
    share(made, "b", "mixed")
    table = stage_table(made)
    assert isinstance(table.rows[-1].seeds[0].comparisons[0], SameRun)
    assert compared(table, "grpo", 1).family.tests == 2
    assert compared(table, "mixed", 0).family.tests == 2
    assert differences(table).data[0].y[1] is None, "a has the baseline's run after grpo"
    same = next(one for one in verdict_sentences(table) if "same run" in one.headline)
    assert same.verdict is None and same.numbers == ""
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert page.count('<div class="why-not muted">same run</div>') == 2
    assert "same run" in stage_tables.stages(table).sheet.grid.markdown()
    assert "same run" in report(made)
    assert last_results()[0].contrasts[0].note == "same run"


def test_conditions_that_share_their_run_in_each_seed_say_so_in_the_mean_too():
    made = evaluated(conditions=FOUR, stages=STAGES[-1:], seeds=(0, 1))
    for run in made.runs.filter(condition__name="a"):
        run.reused_from = run_of(made, "baseline", "grpo", run.seed)
        run.save()
    lines = stage_sheet(stage_table(made)).page_view.rows
    assert [isinstance(line.compared, SameRun) for line in lines if line.condition == "a"] == [True] * 3


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ({}, [("grpo", "a"), ("grpo", "b"), ("grpo", "c")]),
        ({"stage": "mixed", "condition": "b"}, [("mixed", "b")]),
        ({"stage": "mixed"}, [("mixed", "a"), ("mixed", "b"), ("mixed", "c")]),
        ({"condition": "b"}, [("grpo", "b")]),
        ({"metric": "repetition_rate", "stage": "mixed", "condition": "b"}, [("mixed", "b")]),
    ],
)
def test_the_overview_answers_what_was_planned(question, shown):
    evaluated(conditions=FOUR, stages=STAGES[-2:], question=question)
    assert [(one.stage, one.condition) for one in last_results()[0].contrasts] == shown


def test_outcomes_from_before_the_launch_make_it_suggestive_at_most():
    made = evaluated(stages=STAGES[-2:])
    assert compared(stage_table(made), "grpo").verdict.word == "differ"
    old = Evaluation.objects.get(
        attempt__stage_run__stage__name="grpo", attempt__stage_run__condition__name="baseline"
    )
    old.at = made.created_at - timedelta(days=1)
    old.save()
    table = stage_table(made)
    assert compared(table, "grpo").verdict.word == "suggestive"
    assert compared(table, "mixed").verdict.word == "differ"
    sentence = verdict_sentences(table)[0]
    assert "Chosen after seeing" in sentence.limits
    assert sentence.headline.endswith("which is suggestive only.")
    assert "chosen after seeing" in stage_tables.stages(table).sheet.grid.markdown()


def test_repeating_a_plan_is_not_choosing_it_after_seeing():
    first = evaluated(stages=STAGES[-1:])
    Experiment.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(days=2))
    first.refresh_from_db()
    again = evaluated(stages=STAGES[-1:], name="demo-2", origin=first)
    Evaluation.objects.update(at=first.created_at + timedelta(days=1))
    assert again.created_at > first.created_at + timedelta(days=1)
    assert compared(stage_table(again), "grpo").verdict.word == "differ"
    again.recipe["alpha"] = 0.1  # another plan
    again.save()
    assert compared(stage_table(again), "grpo").verdict.word == "suggestive"


def launched(*changes: tuple[str, object], origin: Experiment | None = None) -> Experiment:
    """An experiment that computes all of it anew, and whose mul_tokens is far ahead after the last stage."""
    recipe = recipes.build(recipes.read("smoke"), list(changes))
    made = launch(recipe=recipe, owner=make_user(), reuse=False, origin=origin)
    for run in made.runs.filter(stage__name="grpo").select_related("condition"):
        right = 40 + 60 * run.condition.position
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(150)])
    return made


OTHER_QUESTION = ("primary.condition", "mul_tokens")


@pytest.mark.parametrize(
    ("changes", "repeats", "word"),
    [
        ([OTHER_QUESTION], False, "suggestive"),
        ([OTHER_QUESTION], True, "suggestive"),  # a clone with another question
        ([], True, "differ"),  # the same plan again
        ([OTHER_QUESTION, ("seeds", [1])], False, "differ"),  # nothing that was there before
    ],
)
def test_outcomes_that_are_computed_again_were_seen(changes, repeats, word):
    first = launched()
    Experiment.objects.filter(pk=first.pk).update(created_at=first.created_at - timedelta(days=2))
    Evaluation.objects.update(at=first.created_at - timedelta(days=1))
    first.refresh_from_db()
    assert compared(stage_table(first), "grpo").verdict.word == "differ"
    again = launched(*changes, origin=first if repeats else None)
    assert not again.runs.exclude(reused_note="").exists()
    assert compared(stage_table(again), "grpo").verdict.word == word
    assert ("Chosen after seeing" in report(again)) == (word == "suggestive")


def test_an_evaluation_that_had_not_finished_was_not_seen():
    first = launched()
    Evaluation.objects.update(at=first.created_at - timedelta(days=1), problems=151)
    assert compared(stage_table(launched(OTHER_QUESTION)), "grpo").verdict.word == "differ"


def test_what_a_gain_starts_from_is_not_to_be_seen_before_either():
    first = launched()
    for run in first.runs.filter(stage__name="curriculum"):
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < 40 for i in range(150)])
    Evaluation.objects.filter(attempt__stage_run__stage__name="grpo").delete()
    Evaluation.objects.update(at=first.created_at - timedelta(days=1))
    again = launched(("primary.contrast", "gain"), ("primary.condition", "mul_tokens"))
    run = run_of(again, "mul_tokens", "curriculum")
    add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < 40 for i in range(150)])
    (gain,) = stage_table(again).contrasts
    assert isinstance(gain.seeds[0], Comparison)
    assert (gain.seeds[0].verdict.word, gain.seeds[0].seen) == ("suggestive", True)


def test_where_test_and_interval_disagree_the_sentence_says_so():
    gained, lost = next(
        (g, b)
        for b in range(40)
        for g in range(b, b + 40)
        if (mcnemar_midp(g, b) < 0.05) != tango(g, b, 150).excludes_zero()
    )
    table = stage_table(evaluated(gained=gained, lost=lost, stages=STAGES[-1:]))
    assert compared(table, "grpo").disagrees
    assert "they disagree this near the border, and the test decides" in verdict_sentences(table)[0].limits
    assert compared(table, "grpo").verdict.positive == (mcnemar_midp(gained, lost) < 0.05)


def test_an_experiment_from_before_keeps_the_exact_test():
    made = evaluated(stages=STAGES[-1:])
    made.recipe = {}
    made.save()
    table = stage_table(made)
    assert compared(table, "grpo").p == mcnemar(30, 12)
    assert "exact McNemar p" in plain(verdict_sentences(table)[0].numbers)
