"""Planned gains, interactions and margins as figures, and the report's drawings of the same points."""

from typing import Any

import pytest
from django.test import Client

from tests.drawable import check_drawable
from tests.factories import BENCHMARK, add_evaluation, make_attempt, make_experiment, make_user
from webapp.comparison.figures import answer, points
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.reports import drawings
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


def planned(question: dict[str, object], seeds: tuple[int, ...]) -> Experiment:
    """Two stages, three conditions: before, 30 of 100 are right; the later the condition and the seed, the more after."""
    made = make_experiment(
        conditions=("baseline", "mul_tokens", "third"),
        stages=(("mixed", "sft"), ("grpo", "grpo")),
        seeds=seeds,
        recipe={"primary": {"benchmark": BENCHMARK} | question, "test": "midp"},
    )
    for run in made.runs.select_related("condition", "stage"):
        more = run.stage.position * (10 * (1 + run.condition.position) + 2 * run.seed)
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < 30 + more for i in range(100)])
    return made


def test_each_planned_gain_is_a_point_with_the_interval_of_its_verdict() -> None:
    table = stage_table(planned({"contrast": "gain"}, (0,)))
    figure = answer.contrasts(table, lambda stage, condition, seed: f"{stage}/{condition}/{seed}")
    assert [trace.name for trace in figure.data] == [one.condition for one in table.contrasts]
    assert figure.layout.xaxis.title.text == "planned gain of grpo"
    for trace, contrast in zip(figure.data, table.contrasts, strict=True):
        (found,) = contrast.seeds
        low, high = (100 * end for end in found.interval)  # type: ignore[union-attr]
        assert trace.y[0] == pytest.approx(100 * found.delta)  # type: ignore[union-attr]
        assert trace.y[0] - trace.error_y.arrayminus[0] == pytest.approx(low)
        assert trace.y[0] + trace.error_y.array[0] == pytest.approx(high)
        assert trace.meta["links"] == [f"grpo/{contrast.condition}/0"]
        assert "primary: " in trace.text[0]
    assert len({trace.marker.color for trace in figure.data}) == len(table.contrasts)


def test_an_interaction_over_seeds_shows_each_seed() -> None:
    table = stage_table(planned({"contrast": "interaction"}, (0, 1, 2)))
    mean, single, *_ = answer.contrasts(table).data
    (contrast, *_) = table.contrasts
    assert contrast.condition == mean.name == "mul_tokens"
    assert contrast.over_seeds is not None
    assert mean.y[0] == pytest.approx(100 * contrast.over_seeds.delta) == pytest.approx(10)
    assert list(single.y) == pytest.approx([10, 10, 10])
    assert plain(single.text[1]).startswith("<b>mul_tokens</b> after grpo<br>seed 1: +10.0 points")


@pytest.mark.parametrize("contrast", ["gain", "interaction"])
def test_the_page_has_the_planned_figure_beside_the_others(client: Client, contrast: str) -> None:
    client.force_login(make_user())
    planned({"contrast": contrast}, (0,))
    charts: list[dict[str, Any]] = client.get("/experiments/demo-1/charts.json").json()["charts"]
    assert [one["key"] for one in charts] == ["reached", "difference", "planned"]
    check_drawable(charts[2]["figure"])
    links = [address for trace in charts[2]["figure"]["data"] for address in trace["meta"]["links"]]
    assert links
    assert {client.get(address).status_code for address in links} == {200}


def test_an_equivalence_has_its_margin_as_lines() -> None:
    table = stage_table(planned({"contrast": "equivalence", "margin": 0.05}, (0,)))
    figure = answer.differences(table)
    assert [line.y0 for line in figure.layout.shapes] == [5, -5]
    assert [note.text for note in figure.layout.annotations] == ["margin +5", "margin −5"]
    check_drawable(answer.for_page(figure))
    unplanned = stage_table(Experiment.objects.get(), metric="mul_tokens_per_response")
    assert not answer.differences(unplanned).layout.shapes, "another metric has no margin"


def test_the_report_draws_the_same_points_and_intervals() -> None:
    made = planned({}, (0,))
    table = stage_table(made)
    rates, apart = drawings.by_stage(table)
    assert [line.name for line in rates.lines] == list(table.conditions)
    assert [line.name for line in apart.lines] == [one.name for one in points.differences(table)]
    found = points.reached(table)
    zero, full = rates.up[0], rates.up[-1]
    scale = (zero.at - full.at) / (float(full.text.split()[0]) / 100)
    for line, one in zip(rates.lines, found, strict=True):
        assert [(zero.at - y) / scale for _, y in line.points] == pytest.approx([p.y for p in one.points])
        ends = [
            end
            for _, low, high in line.intervals
            for end in ((zero.at - low) / scale, (zero.at - high) / scale)
        ]
        assert ends == pytest.approx([end for p in one.points if p.interval for end in p.interval])


def test_a_drawn_line_begins_anew_at_a_branch() -> None:
    made = make_experiment(stages=(("words", "sft"), ("short", "grpo"), ("long", "grpo")), seeds=(0,))
    made.stages.filter(name="long").update(after=made.stages.get(name="words"))
    for run in made.runs.select_related("condition", "stage"):
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [i < 10 for i in range(50)])
    rates, _ = drawings.by_stage(stage_table(made))
    assert [len(path.split()) for path in rates.lines[0].paths] == [2, 2]
