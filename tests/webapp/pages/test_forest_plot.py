"""The forest plot: every comparison has its row, all on one axis that holds every end."""

import pytest

from tests.factories import add_evaluation, make_attempt, make_experiment, make_user
from webapp.comparison.table import stage_table
from webapp.pages.comparison.forest_plot import _axis, forest_plot
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


def evaluated(seeds):
    """Two stages; with each seed the second condition has more problems right."""
    made = make_experiment(stages=(("mixed", "sft"), ("grpo", "grpo")), seeds=seeds)
    for run in made.runs.select_related("condition", "stage"):
        attempt = make_attempt(run, state=State.SUCCEEDED)
        more = (2 + run.seed) * run.condition.position
        add_evaluation(attempt, [i % 10 < 3 + more - run.stage.position for i in range(100)])
    return made


def test_a_row_a_comparison_on_one_axis():
    table = stage_table(evaluated([0]))
    plot = forest_plot(table, together=False)
    assert [(row.stage, row.condition, row.seeds) for row in plot.rows] == [
        ("mixed", "mul_tokens", ""),
        ("grpo", "mul_tokens", ""),
    ]
    one = table.rows[0].seeds[0].comparisons[0]
    first = plot.rows[0]
    assert (first.delta, first.interval, first.verdict, first.position) == (0.2, one.interval, one.verdict, 1)
    unit = plot.ticks[-1].x / float(plot.ticks[-1].text)  # percent a point, as the axis starts at 0
    assert [tick.text for tick in plot.ticks] == ["0", "+10", "+20", "+30"]
    assert plot.zero == 0
    assert first.x == pytest.approx(20 * unit, abs=0.01)
    assert (first.low, first.high) == pytest.approx([100 * end * unit for end in one.interval], abs=0.01)


def test_seeds_apart_and_together():
    table = stage_table(evaluated([0, 1, 2]))
    apart = forest_plot(table, together=False)
    assert [row.seeds for row in apart.rows] == ["seed 0", "seed 1", "seed 2", "mean"] * 2
    assert apart.rows[3].interval == table.rows[0].over_seeds[0].result.interval
    together = forest_plot(table, together=True)
    assert [row.seeds for row in together.rows] == ["3 seeds", "3 seeds"]
    assert together.rows[0].delta == pytest.approx(0.3)
    assert len(together.rows[0].each) == 3
    assert together.rows[0].interval == table.rows[0].over_seeds[0].result.interval


def test_nothing_finished_draws_nothing():
    plot = forest_plot(stage_table(make_experiment()), together=False)
    assert plot.rows == ()


@pytest.mark.parametrize(
    ("ends", "axis"),
    [((-0.03, 0.12), (0.05, -0.05, 0.15)), ((0.0, 0.5), (0.1, 0.0, 0.5)), ((-3.2, 0.0), (1.0, -4.0, 0.0))],
)
def test_the_axis_has_round_ticks_and_holds_both_ends(ends, axis):
    assert _axis(*ends) == pytest.approx(axis)


def test_the_page_draws_it_in_a_figure_and_shows_seeds_together(client):
    client.force_login(make_user())
    evaluated([0, 1, 2])
    page = client.get("/experiments/demo-1/comparison/").content.decode()
    assert page.count('<circle cx="') == 8 + 8, "eight on the axis, and one in each row of the table"
    assert '<figure class="forest-plot"' in page
    together = client.get("/experiments/demo-1/comparison/?seeds=together").content.decode()
    assert 'class="seed"' not in together
    assert together.count('<tr class="mean alone">') == 2
    assert "+30.0" in together
    assert client.get("/experiments/demo-1/comparison/?seeds=pooled").status_code == 400
