"""Figures: from stored chunks, in the condition's colour, small enough to send."""

import json
import math

import pytest

from tests import factories
from webapp.runs.models import StageRun
from webapp.telemetry.charts import MOST_POINTS, Chart, run_charts

pytestmark = pytest.mark.django_db


def charts_of(run: StageRun) -> dict[str, Chart]:
    run = StageRun.objects.select_related("condition", "stage").get(pk=run.pk)
    return {chart.kind.key: chart for chart in run_charts(run)}


def test_the_issue_s_charts_are_there_for_grpo() -> None:
    run = factories.make_run("grpo")
    factories.train(run.attempts.get(), "grpo", steps=20)
    wanted = {
        "loss",
        "reward",
        "components",
        "accuracy",
        "kl",
        "repetition",
        "mul_tokens",
        "logprob_mismatch",
    }
    assert wanted <= set(charts_of(run))


def test_a_chart_holds_what_was_recorded() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [3.0, 2.0, 1.5]})
    chart = charts_of(run)["loss"]
    assert (chart.traces[-1]["x"], chart.traces[-1]["y"]) == ([1, 2, 3], [3.0, 2.0, 1.5])
    assert chart.latest == 1.5
    assert chart.traces[-1]["line"]["color"] == "--condition-1", "mul_tokens stands second"


def test_the_other_condition_lies_behind() -> None:
    experiment = factories.make_experiment()
    for condition in ("baseline", "mul_tokens"):
        run = factories.make_run("pretrain", experiment=experiment, condition=condition)
        factories.add_metrics(run.attempts.get(), {"loss": [2.0, 1.0]})
    traces = charts_of(run)["loss"].traces
    assert [(trace["name"], trace["meta"]["own"]) for trace in traces] == [
        ("baseline", False),
        ("mul_tokens", True),
    ]


def test_a_resumed_run_has_one_value_a_step() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [5.0, 4.0, 3.0, 2.5]})
    run.refresh_from_db()
    second = factories.make_attempt(run, first_step=2)
    factories.add_metrics(second, {"loss": [3.1, 2.6]}, first_step=3)
    trace = charts_of(run)["loss"].traces[-1]
    assert (trace["x"], trace["y"]) == ([1, 2, 3, 4], [5.0, 4.0, 3.1, 2.6])


def test_long_series_are_thinned_and_keep_their_peak() -> None:
    run = factories.make_run("pretrain")
    values = [math.sin(i / 500) for i in range(20_000)]
    values[12_345] = 9.0
    factories.add_metrics(run.attempts.get(), {"loss": values})
    trace = charts_of(run)["loss"].traces[-1]
    assert len(trace["x"]) <= MOST_POINTS
    assert max(trace["y"]) == 9.0


def test_values_that_are_no_numbers_become_gaps() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [1.0, math.nan, math.inf, 2.0]})
    chart = charts_of(run)["loss"]
    assert chart.traces[-1]["y"] == [1.0, None, None, 2.0]
    json.dumps(chart.as_json(), allow_nan=False)
