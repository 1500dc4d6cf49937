"""The report's page: what it leaves to the files, its verdicts in sight, its charts with every stage by its name."""

import re

import pytest
from django.test import Client

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.reports import drawings
from webapp.reports.report import build, markdown
from webapp.runs.models import State

pytestmark = pytest.mark.django_db
STAGES = tuple((name, "sft") for name in ("pretrain", "instruct", "drills", "words", "mixed", "last"))


@pytest.fixture
def experiment() -> Experiment:
    """Four conditions through six stages, of one seed."""
    made = make_experiment(
        "demo-1", conditions=("baseline", "mul_tokens", "beta_high", "long"), stages=STAGES
    )
    for run in made.runs.select_related("condition", "stage"):
        right = 20 + 2 * run.stage.position + 3 * run.condition.position
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < right for i in range(60)])
    return made


def page_of(address: str) -> str:
    client = Client()
    client.force_login(make_user())
    return client.get(address).content.decode()


def test_the_page_says_each_thing_once_and_leaves_zeros_to_the_files(experiment: Experiment) -> None:
    page = page_of("/experiments/demo-1/report/")
    text, file = markdown(build(experiment)), page_of("/experiments/demo-1/report.html")
    assert "<dt>Outcome</dt>" not in page and "<dt>Outcome</dt>" in file and "**Outcome:**" in text
    assert page.count(">Planned question</th>") == 1 and 'class="verdict-columns"' in page
    assert "Repetition rate" in text and page.count("Repetition rate") == 1
    assert "0 throughout, so not in these tables: " in page and "0 throughout" not in file
    assert 'href="#detailed-metrics"' in page and 'id="detailed-metrics"' in page
    assert 'href="#detailed-metrics"' not in file


def test_sentences_of_its_own_are_not_marked(experiment: Experiment) -> None:
    page = page_of("/experiments/demo-1/report/")
    assert "\u00a0%" in page and 'data-sign="NBSP"' not in page


def test_the_verdict_stands_beside_the_difference_and_the_level_above_its_column(
    experiment: Experiment,
) -> None:
    (section,) = [one for one in build(experiment).sections if one.title == "Results"]
    ((_, view),) = section.tables
    titles = [column.title for column in view.columns]
    assert titles[3:6] == ["Δ points", "verdict", "interval"], "two levels: each interval says its own"
    assert any("%)" in column.text(row) for row in view.rows for column in view.columns[5:6])
    single = make_experiment("demo-2", stages=(("last", "sft"),))
    for run in single.runs.select_related("condition"):
        add_evaluation(
            make_attempt(run, state=State.SUCCEEDED), [i < 20 + run.condition.position for i in range(60)]
        )
    (section,) = [one for one in build(single).sections if one.title == "Results"]
    ((_, view),) = section.tables
    titles = [column.title for column in view.columns]
    assert titles[3:6] == ["Δ points", "verdict", "95 % interval"]
    assert not any("%" in view.columns[5].text(row) for row in view.rows)


def test_every_stage_is_named_and_conditions_stand_beside_each_other(experiment: Experiment) -> None:
    reached, apart = drawings.by_stage(stage_table(experiment))
    assert [tick.text for tick in reached.across] == [name for name, _ in STAGES]
    assert len({tick.line for tick in reached.across}) == 1
    firsts = [line.points[0][0] for line in reached.lines]
    assert len(set(firsts)) == 4 and firsts == sorted(firsts)
    assert [tick.text for tick in apart.up if tick.zero] == ["0"]
    assert not any(tick.zero for tick in reached.up)


def test_long_names_take_two_lines() -> None:
    across = [
        (float(at), name)
        for at, name in enumerate(("gsm8k_sft", "curriculum_sft", "grpo_1x_binary", "grpo_20x_shaped"))
    ]
    course = drawings.DrawnCourse("baseline", 0, [(at, 1.0) for at, _ in across])
    drawn = drawings.line_drawing("Accuracy", [course], across, share=True, beside=True)
    assert [(tick.text, tick.line) for tick in drawn.across] == [
        (name, place % 2) for place, (_, name) in enumerate(across)
    ]
    assert drawn.height > drawings.HEIGHT
    many = [(float(at), "a_very_long_name_of_a_stage") for at in range(20)]
    drawn = drawings.line_drawing("Accuracy", [course], many, share=True, beside=True)
    assert len(drawn.across) == 2 and re.match("start|end", drawn.across[0].anchor)
