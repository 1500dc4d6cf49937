"""The answer's figures: every number of the stage table in its place, with its interval, what is said of it and what it opens."""

import re
from typing import Any

import plotly.graph_objects as go
import pytest
from django.test import Client

from tests.drawable import check_drawable
from tests.factories import add_evaluation, make_attempt, make_experiment, make_user, run_of
from webapp.comparison.cells import Comparison
from webapp.comparison.figures import answer
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.files.number_text import plain
from webapp.runs.models import State
from webapp.settings import ROOT

pytestmark = pytest.mark.django_db

CONDITIONS = ("baseline", "mul_tokens", "third")


def evaluated(seeds: tuple[int, ...], *, unfinished: tuple[str, str] | None = None) -> Experiment:
    """Two stages, three conditions; the later the condition and the seed, the more problems are right."""
    made = make_experiment(conditions=CONDITIONS, stages=(("mixed", "sft"), ("grpo", "grpo")), seeds=seeds)
    for run in made.runs.select_related("condition", "stage"):
        if (run.condition.name, run.stage.name) == unfinished:
            continue
        attempt = make_attempt(run, state=State.SUCCEEDED)
        more = (2 + run.seed) * run.condition.position
        add_evaluation(attempt, [i % 10 < 3 + more - run.stage.position for i in range(100)])
    return made


def lines(figure: go.Figure) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.meta["role"] == "condition"]


def test_one_seed_has_the_intervals_of_the_table() -> None:
    table = stage_table(evaluated((0,), unfinished=("third", "grpo")))
    rates = answer.reached(table)
    assert [line.name for line in rates.data] == [*CONDITIONS]
    assert [list(line.y) for line in rates.data] == [[0.3, 0.2], [0.5, 0.4], [0.7, None]]
    cell = table.rows[0].seeds[0].cells[1]
    line = rates.data[1]
    assert cell.interval is not None
    assert (line.y[0] - line.error_y.arrayminus[0], line.y[0] + line.error_y.array[0]) == pytest.approx(
        cell.interval
    )
    assert plain(line.text[0]) == "<b>mul_tokens</b> after mixed<br>50.0 % (50/100), 40.4 % to 59.6 %"
    apart = answer.differences(table)
    assert [line.name for line in apart.data] == ["mul_tokens − baseline", "third − baseline"]
    assert [list(line.y) for line in apart.data] == [pytest.approx([20, 20]), [pytest.approx(40), None]]
    compared, line = table.rows[0].seeds[0].comparisons[0], apart.data[0]
    assert isinstance(compared, Comparison)
    low, high = (100 * end for end in compared.interval)
    assert (line.y[0] - line.error_y.arrayminus[0], line.y[0] + line.error_y.array[0]) == pytest.approx(
        (low, high)
    )
    assert "20 gained, 0 lost of 100" in line.text[0]
    assert line.text[1].endswith(f"primary: {compared.verdict.word}")
    assert rates.layout.xaxis.ticktext == ("mixed", "grpo")
    assert len({x for line in rates.data for x in line.x}) == 6, "beside each other"


def test_seeds_are_points_around_their_mean() -> None:
    table = stage_table(evaluated((0, 1, 2)))
    rates, apart = answer.reached(table), answer.differences(table)
    baseline, mul_tokens, _ = lines(rates)
    assert list(mul_tokens.y) == pytest.approx([0.6, 0.5])
    assert max(baseline.error_y.array) == 0, "three equal seeds show no spread"
    assert min(mul_tokens.error_y.array) > 0
    single = [trace for trace in rates.data if trace.meta["role"] == "single"]
    assert list(single[1].y) == pytest.approx([0.5, 0.6, 0.7, 0.4, 0.5, 0.6])
    assert plain(single[1].text[1]) == "<b>mul_tokens</b> after mixed<br>seed 1: 60.0 % (60/100)"
    together = table.rows[1].over_seeds[0]
    assert together is not None and together.interval is not None
    line = lines(apart)[0]
    assert line.y[1] == pytest.approx(100 * together.delta)
    assert line.y[1] + line.error_y.array[1] == pytest.approx(100 * together.interval.high)
    assert plain(line.text[1]).startswith(
        "<b>mul_tokens - baseline</b> after grpo<br>mean of 3 seeds: +30.0 points"
    )
    assert max(lines(answer.reached(stage_table(evaluated_again((0, 1)))))[1].error_y.array) == 0, (
        "two are too few"
    )


def evaluated_again(seeds: tuple[int, ...]) -> Experiment:
    Experiment.objects.all().delete()
    return evaluated(seeds)


def test_a_line_goes_from_each_stage_to_those_that_start_from_it() -> None:
    made = make_experiment(stages=(("words", "sft"), ("short", "grpo"), ("long", "grpo")), seeds=(0,))
    made.stages.filter(name="long").update(after=made.stages.get(name="words"))
    for run in made.runs.select_related("condition", "stage"):
        add_evaluation(
            make_attempt(run, state=State.SUCCEEDED), [i < 10 + run.stage.position for i in range(50)]
        )
    line = answer.reached(stage_table(made)).data[0]
    assert line.meta["labels"] == ["words", "short", "", "words", "long"]
    assert list(line.y) == [0.2, 0.22, None, 0.2, 0.24]


def test_before_the_planned_seeds_are_in_it_says_interim() -> None:
    made = evaluated((0, 1, 2))
    run = run_of(made, "mul_tokens", "grpo", 2)
    run.attempts.all().delete()
    run.state = State.RUNNING
    run.save()
    line = lines(answer.differences(stage_table(made)))[0]
    assert line.text[1].endswith("primary: interim")


def test_a_mean_opens_a_seed_that_has_its_number_and_eight_conditions_look_different() -> None:
    names = ("baseline", *(f"value_{place}" for place in range(7)))
    made = make_experiment(conditions=names, stages=(("words", "sft"),), seeds=(0, 1, 2))
    for run in made.runs.filter(seed=1):
        add_evaluation(make_attempt(run, state=State.SUCCEEDED), [True] * 5)
    found = lines(answer.reached(stage_table(made), lambda stage, condition, seed: f"{condition}/{seed}"))
    assert [line.meta["links"] for line in found] == [[f"{name}/1"] for name in names]
    assert len({(line.line.color, line.line.dash, line.marker.symbol) for line in found}) == 8


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_pages_have_the_style_sheets_colours_and_a_page_behind_each_point(
    client: Client, seeds: tuple[int, ...]
) -> None:
    client.force_login(make_user())
    evaluated(seeds)
    charts: list[dict[str, Any]] = client.get("/experiments/demo-1/charts.json").json()["charts"]
    assert [(one["key"], one["place"], one["percent"]) for one in charts] == [
        ("reached", "answer", True),
        ("difference", "answer", False),
    ]
    for chart in charts:
        check_drawable(chart["figure"])
        assert "template" not in chart["figure"]["layout"]
        for trace in chart["figure"]["data"]:
            assert trace["marker"]["color"] in {f"--condition-{place}" for place in range(3)}
            for address in trace["meta"]["links"]:
                assert client.get(address).status_code == 200, address
    rates, apart = charts
    baseline = next(trace for trace in rates["figure"]["data"] if trace["name"] == "baseline")
    assert all(re.fullmatch(r"/evaluations/\d+/", address) for address in baseline["meta"]["links"])
    assert (
        "first_stage=grpo&second=mul_tokens&second_stage=grpo"
        in apart["figure"]["data"][0]["meta"]["links"][1]
    )
    amounts = client.get("/experiments/demo-1/charts.json?metric=mul_tokens_per_response").json()["charts"]
    assert amounts[1]["unit"].startswith("mul-tokens, ")
    for chart in amounts:
        check_drawable(chart["figure"])
    assert client.get("/experiments/demo-1/charts.json?metric=odd").status_code == 400


def test_before_anything_is_evaluated_there_is_no_figure(client: Client) -> None:
    client.force_login(make_user())
    make_experiment()
    assert client.get("/experiments/demo-1/charts.json").json() == {"charts": []}
    assert 'class="charts answer"' in client.get("/experiments/demo-1/comparison/").content.decode()


def test_colours_are_those_of_the_style_sheet() -> None:
    style = (ROOT / "static" / "css" / "mulberry.css").read_text().split("@media")[0]
    for colour, token in answer.TOKENS.items():
        assert f"{token}: {colour};" in style
