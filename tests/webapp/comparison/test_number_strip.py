"""The numbers of a verdict one by one, and what stands beside it: the tag for these problems alone, the floor, the table's marks."""

import numpy as np
import pytest
from django.test import Client

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user
from tests.webapp.comparison.test_new_problems import PROBLEMS, experiment_of
from webapp.comparison.cells import Comparison
from webapp.comparison.groups import sheet
from webapp.comparison.sentences.number_strip import ONLY_THESE
from webapp.comparison.sentences.verdict_columns import VerdictColumns, in_columns
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.sentences.warnings import floor, warnings
from webapp.comparison.table import stage_table
from webapp.comparison.tables.stage_sheets import none_for_new_problems, stage_sheet
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.pages.templatetags.results import forest
from webapp.runs.models import State
from webapp.statistics.intervals import Interval

pytestmark = pytest.mark.django_db
STAGES = (("mixed", "sft"), ("grpo", "grpo"))


def few_pairs_gain() -> Experiment:
    """After the last stage every problem of 6 operand pairs of 30 is gained, and nothing else: they decide it alone."""
    before = np.arange(PROBLEMS) % 5 == 9
    gained = np.arange(PROBLEMS) // 5 < 6
    return experiment_of(
        {
            ("baseline", "mixed"): before,
            ("mul_tokens", "mixed"): before,
            ("baseline", "grpo"): before,
            ("mul_tokens", "grpo"): gained,
        }
    )


def of_rights(rights: dict[str, int], asked: int = 40) -> Experiment:
    made = make_experiment("demo-1", conditions=tuple(rights), stages=STAGES)
    for run in made.runs.select_related("condition"):
        right = rights[run.condition.name]
        attempt = make_attempt(run, state=State.SUCCEEDED)
        add_evaluation(
            attempt, [i < right for i in range(asked)], labels=lambda i: ["odd" if i % 2 else "even"]
        )
    return made


def test_the_strip_says_difference_interval_p_problems_seeds_and_what_each_reached() -> None:
    table = stage_table(few_pairs_gain())
    (sentence,) = verdict_sentences(table)
    found = table.rows[-1].seeds[0].comparisons[0]
    assert isinstance(found, Comparison) and found.new_problems is not None
    strip = {label: plain(number) for label, number in sentence.strip}
    assert list(strip) == [
        "Δ",
        "95 % interval",
        "p",
        "n",
        "",
        "for new operand pairs",
        "mul_tokens",
        "baseline",
    ]
    assert (strip["Δ"], strip["n"], strip[""]) == ("+20.0 points", "150", "1 seed")
    assert (strip["mul_tokens"], strip["baseline"]) == ("20.0 % (30/150)", "0.0 % (0/150)")
    assert (sentence.scope == ONLY_THESE) == found.not_for_new_problems
    assert " ".join(sentence.caveats) == sentence.limits and len(sentence.caveats) > 1


def test_the_table_says_ahead_has_new_problems_and_marks_what_was_planned() -> None:
    made = few_pairs_gain()
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert "<b>ahead</b>" in page and 'data-label="new problems"' in page
    assert '<span title="too few operand pairs differ">–' in page, "after the stage in which nothing differs"
    assert 'class="forest-axis"' in page
    view = stage_sheet(stage_table(made)).page_view
    assert [view.css(line) for line in view.rows] == ["", "planned"]


@pytest.mark.parametrize(("most", "low"), [(2, True), (3, False)])
def test_a_floor_is_said_before_all_else(most: int, low: bool) -> None:
    table = stage_table(of_rights({"baseline": 0, "mul_tokens": most}))
    expected = f"0–{most} of 40 right: at the floor, there is nothing to compare yet."
    assert floor(table) == (expected if low else "")
    assert (expected in warnings(table)) == low


def test_a_group_has_its_conditions_below_each_other() -> None:
    table = stage_table(of_rights({"baseline": 8, "mul_tokens": 20, "third": 30}))
    view = sheet(table).page_view
    headings = [column.heading_text for column in view.columns]
    assert headings[:3] == ["Group", "Stage", "Condition"] and "Accuracy, %" in headings
    named = [(one.name, one.condition) for one in view.rows]
    assert named == [(name, other) for name in ("even", "odd") for other in ("mul_tokens", "third")]


def test_verdicts_of_a_kind_are_the_rows_of_one_table() -> None:
    sentences = verdict_sentences(stage_table(of_rights({"baseline": 10, "more": 16, "most": 30})))
    (columns,) = in_columns(sentences)
    assert isinstance(columns, VerdictColumns)
    assert columns.role_label == "Planned question"
    assert [plain(label) for label in columns.labels] == [
        "Δ points",
        "97.5 % interval",
        "p",
        "adjusted p",
        "n",
        "seeds",
        "its result",
        "baseline",
    ]
    assert [sentence for sentence, _ in columns.rows] == sentences
    numbers = [{label: plain(number) for label, number in row} for _, row in columns.rows]
    assert [row["Δ points"] for row in numbers] == ["+15.0", "+50.0"]
    assert [row["seeds"] for row in numbers] == ["1", "1"]
    assert [row["its result"] for row in numbers] == ["40.0 % (16/40)", "75.0 % (30/40)"]
    assert in_columns(sentences[:1]) == sentences[:1], "one alone stays a sentence"


def test_what_goes_past_the_scale_ends_in_an_arrowhead() -> None:
    inside = forest(0.01, Interval(-0.02, 0.04), 0.05)
    assert (inside["past_low"], inside["past_high"], inside["low"]) == (False, False, 30.8)
    past = forest(0.01, Interval(-0.02, 1.0), 0.05)
    assert (past["past_low"], past["past_high"], past["high"]) == (False, True, 98.0)


def test_seeds_together_say_each_seed_and_why_no_column_is_there() -> None:
    made = make_experiment("demo-1", stages=(("grpo", "grpo"),), seeds=(0, 1, 2))
    for run in made.runs.select_related("condition"):
        right = 20 + run.condition.position * (2 + run.seed)
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(40)])
    table = stage_table(made)
    view = stage_sheet(table, together=True).page_view
    titles = [column.title for column in view.columns]
    assert "gained / lost" not in titles and "for new problems" not in titles
    (delta,) = [column for column in view.columns if column.title == "Δ points"]
    assert delta.note is not None and delta.note(view.rows[0]) == "+5.0, +7.5, +10.0"
    said = "No interval for new problems: over the seeds there is one from 5 seeds on."
    assert none_for_new_problems(table, view) == said
    apart = stage_sheet(table).page_view
    assert "gained / lost" in [column.title for column in apart.columns]
    client = Client()
    client.force_login(make_user())
    page = client.get("/experiments/demo-1/comparison/?seeds=together").content.decode()
    assert said in page and "+5.0, +7.5, +10.0" in page
