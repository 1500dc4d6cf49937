"""A run's charts: overlay, mean and range, x, resume marks, stacked components, as the figures say it."""

import json
import math
from typing import Any

import numpy as np
import pytest
from django.http import QueryDict

from tests import factories, histories
from tests.drawable import check_drawable
from webapp.charts import choices as chart_choices, figures, files as chart_files
from webapp.charts.charts import charts
from webapp.charts.kinds import kinds
from webapp.runs.models import StageRun
from webapp.statistics.proportions import wilson

pytestmark = pytest.mark.django_db


def drawn(run: StageRun, key: str, query: str = "") -> dict[str, Any]:
    """The chart as charts.js gets it, not smoothed unless the query says so."""
    run = StageRun.objects.select_related("condition", "stage").get(pk=run.pk)
    choices = chart_choices.read(QueryDict(f"smooth=0&{query}"))
    wanted = [kind for kind in kinds(run.pk) if kind.key == key]
    found = figures.as_json(charts(run, wanted, choices)[0], choices)
    json.dumps(found, allow_nan=False)
    check_drawable(found["figure"])
    return found


def lines(chart: dict[str, Any], *roles: str) -> list[dict[str, Any]]:
    return [trace for trace in chart["figure"]["data"] if trace["meta"]["role"] in roles]


def two_by_three() -> StageRun:
    """Two conditions, three seeds, a loss of seed + condition / 10 everywhere; the last one."""
    experiment = factories.make_experiment(stages=(("pretrain", "pretrain"),), seeds=(0, 1, 2))
    for run in StageRun.objects.select_related("condition"):
        attempt = factories.make_attempt(run)
        level = run.seed + run.condition.position / 10
        factories.add_metrics(attempt, {"loss": [level, level, level]})
    return factories.run_of(experiment, "mul_tokens", "pretrain", 2)


def test_the_curated_charts_come_first_and_in_order_then_all_by_prefix() -> None:
    run = factories.make_run("grpo")
    histories.train(run.attempts.get(), "grpo", steps=5)
    factories.add_metrics(run.attempts.get(), {"system/process_memory": [1.0]})
    found = kinds(run.pk)
    main = [kind.key for kind in found if kind.main]
    assert main == [
        "accuracy", "reward", "components", "solved", "pass_at_k", "groups_without_gradient", "repetition", "mul_tokens", "loss",
        "kl", "entropy", "grad_norm",
        "completion_length", "lengths", "hit_limit",
        "tokens_per_second", "rollouts_per_second", "step_time", "process_memory",
    ]  # fmt: skip
    grouped = {kind.name: kind.group for kind in found if kind.group}
    assert grouped["reward/correct"] == "reward"
    assert grouped["system/process_memory"] == "system"
    assert grouped["loss"] == "general"
    assert len(grouped) == run.attempts.get().metrics.count()


def test_a_chart_holds_what_was_recorded() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [3.0, 2.0, 1.5]})
    chart = drawn(run, "loss")
    (own,) = lines(chart, "own")
    assert (own["x"], own["y"], chart["latest"]) == ([1, 2, 3], [3.0, 2.0, 1.5], 1.5)
    assert own["line"]["color"] == "--condition-1", "mul_tokens stands second"


@pytest.mark.parametrize(
    ("recorded", "unit", "shown"), [([0.5, 0.75], "MiB", [512.0, 768.0]), ([0.5, 1.25], "GiB", [0.5, 1.25])]
)
def test_memory_is_drawn_in_the_unit_that_fits_it(
    recorded: list[float], unit: str, shown: list[float]
) -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"system/process_memory": recorded})
    chart = drawn(run, "process_memory", "smooth=0")
    (own,) = lines(chart, "own")
    assert (chart["unit"], own["y"], chart["latest"]) == (unit, shown, shown[-1])


def test_with_one_seed_the_other_condition_lies_behind() -> None:
    experiment = factories.make_experiment()
    for condition in ("baseline", "mul_tokens"):
        run = factories.make_run("pretrain", experiment=experiment, condition=condition)
        factories.add_metrics(run.attempts.get(), {"loss": [2.0, 1.0]})
    found = [(trace["name"], trace["meta"]["role"]) for trace in drawn(run, "loss")["figure"]["data"]]
    assert found == [("baseline", "other"), ("mul_tokens", "own"), ("", "newest")]
    assert len(lines(drawn(run, "loss", "runs=own"), "own", "other")) == 1


def test_seeds_have_a_mean_a_band_and_thin_lines_in_the_condition_s_colour() -> None:
    chart = drawn(two_by_three(), "loss")
    means = {trace["name"]: trace for trace in lines(chart, "mean")}
    assert list(means) == ["baseline: mean of 3", "mul_tokens: mean of 3"]
    assert [trace["y"] for trace in means.values()] == [[1.0] * 3, [1.1] * 3]
    assert [trace["y"][0] for trace in lines(chart, "band")] == [0.0, 2.0, 0.1, 2.1]
    assert [trace.get("fill") for trace in lines(chart, "band")] == [None, "tonexty"] * 2
    assert len(lines(chart, "single")) == 5
    (own,) = lines(chart, "own")
    assert (own["name"], own["y"][0]) == ("this run (seed 2)", 2.1)
    assert chart["figure"]["data"][-2] is own, "in front of all others, under the dot at its end"
    assert {trace["line"].get("dash") for trace in chart["figure"]["data"]} == {None}
    assert {trace["line"]["color"] for trace in chart["figure"]["data"]} == {"--condition-0", "--condition-1"}


def test_all_charts_of_a_run_have_one_axis() -> None:
    experiment = factories.make_experiment(stages=(("grpo", "grpo"),))
    attempts = [factories.make_attempt(run) for run in StageRun.objects.order_by("pk")]
    factories.add_metrics(attempts[0], {"reward": [0.1] * 3, "reward/correct": [0.1] * 3, "kl": [0.0] * 2})
    factories.add_metrics(attempts[1], {"reward": [0.1] * 6})
    run = StageRun.objects.get(experiment=experiment, pk=attempts[0].stage_run_id)
    ends = {
        drawn(run, key)["figure"]["layout"]["xaxis"]["autorangeoptions"]["include"]
        for key in ("reward", "components", "kl")
    }
    assert list(ends) == [pytest.approx(6 * figures.END)]
    assert "autorangeoptions" not in drawn(run, "kl", "logx=1")["figure"]["layout"]["xaxis"]


def test_what_is_hidden_is_in_no_mean_and_the_legend_keeps_its_order() -> None:
    run = two_by_three()
    chart = drawn(run, "loss", "hide_seeds=0,2")
    assert [(trace["name"], trace["y"][0]) for trace in lines(chart, "other")] == [
        ("baseline", 1.0),
        ("mul_tokens", 1.1),
    ]
    assert lines(chart, "own", "mean") == [], "this run is hidden too"
    chart = drawn(run, "loss", "hide=baseline,nothing&hide_seeds=0")
    assert [trace["y"][0] for trace in lines(chart, "mean")] == [pytest.approx(1.6)]
    for page in (run, StageRun.objects.get(condition__name="baseline", seed=0)):
        named = sorted(lines(drawn(page, "loss"), "mean", "own"), key=lambda trace: trace["legendrank"])
        assert [trace["name"] for trace in named][:2] == ["baseline: mean of 3", "mul_tokens: mean of 3"]
    assert drawn(run, "loss", "hide=baseline,mul_tokens")["figure"]["data"] == []


def test_a_point_says_whose_it_is_and_the_steps_that_it_speaks_for() -> None:
    run = factories.make_run("grpo")
    StageRun.objects.filter(pk=run.pk).update(spec=run.spec | {"settings": {"iterations": 2}})
    factories.add_metrics(run.attempts.get(), {"loss": [1.0, 2.0, 3.0], "tokens": [10.0, 25.0, 40.0]})
    (own,) = lines(drawn(run, "loss"), "own")
    assert own["meta"] == {"own": True, "role": "own", "run": run.pk, "every": 2}
    (own,) = lines(drawn(run, "loss", "x=tokens"), "own")
    assert (own["x"], own["meta"]["steps"]) == ([10, 25, 40], [1, 2, 3])


def test_more_than_three_components_are_lines_and_what_is_always_0_is_none() -> None:
    run = factories.make_run("grpo")
    parts = {
        name: [0.1 * place, -0.1] for place, name in enumerate(("correct", "format", "repetition", "odd"))
    }
    recorded = {f"reward/{name}": values for name, values in parts.items()}
    factories.add_metrics(
        run.attempts.get(), {**recorded, "reward/length": [0.0, 0.0], "reward": [0.6, -0.4]}
    )
    found = lines(drawn(run, "components"), "component", "rest")
    assert {trace["name"]: trace["y"] for trace in found} == {
        name: pytest.approx(y) for name, y in parts.items()
    }
    assert not any("stackgroup" in trace for trace in found)
    assert len({trace["line"]["dash"] for trace in found}) == 4, "told apart without their colours"


def test_components_are_stacked_on_both_sides_of_zero_and_add_up_to_the_reward() -> None:
    run = factories.make_run("grpo")
    parts = {"correct": [0.1, 0.3, 0.5], "repetition": [-0.2, -0.1, 0.0], "odd": [0.1, -0.1, 0.2]}
    total = [sum(values) for values in zip(*parts.values(), strict=True)]
    recorded = {f"reward/{name}": values for name, values in parts.items()} | {"reward": total}
    factories.add_metrics(run.attempts.get(), recorded)
    for query in ("", "smooth=0.9"):
        chart = drawn(run, "components", query)
        areas, (whole,) = lines(chart, "component", "rest"), lines(chart, "own")
        for place, value in enumerate(whole["y"]):
            assert sum(area["y"][place] for area in areas) == pytest.approx(value, abs=1e-5)
        assert all(min(area["y"]) >= 0 for area in areas if area["stackgroup"] == "above")
        assert all(max(area["y"]) <= 0 for area in areas if area["stackgroup"] == "below")
    told = {area["name"]: area["customdata"] for area in lines(drawn(run, "components"), "component")}
    assert told == parts
    assert len({(area["line"]["dash"], area["name"]) for area in areas}) == 3
    assert all(area["line"]["color"].startswith("--part-") for area in areas), "no condition’s hue"


def test_several_metrics_of_a_run_share_a_chart() -> None:
    run = factories.make_run("grpo")
    recorded = {
        "pass_at/16": [0.9, 1.0],
        "pass_at/1": [0.2, 0.4],
        "pass_at/8": [0.6, 0.7],
        "accuracy": [0.2, 0.4],
    }
    shares = {"solved/none": [0.5, 0.25], "solved/some": [0.25, 0.5], "solved/all": [0.25, 0.25]}
    factories.add_metrics(run.attempts.get(), recorded | shares)
    chart = drawn(run, "pass_at_k")
    assert [(one["name"], one["y"]) for one in lines(chart, "part")] == [
        ("pass@1", [0.2, 0.4]), ("pass@8", [0.6, 0.7]), ("pass@16", [0.9, 1.0]),
    ]  # fmt: skip
    assert len({(one["line"]["dash"], one["line"]["color"]) for one in lines(chart, "part")}) == 3
    assert chart["percent"] and chart["latest"] is None
    areas = lines(drawn(run, "solved"), "component")
    named = [(name.partition("/")[2], values) for name, values in reversed(shares.items())]
    assert [(one["name"], one["y"]) for one in areas] == named, "all at the bottom, as on the prompt map"
    assert [one["fillcolor"] for one in areas] == ["--succeeded", "--succeeded/0.5", "--muted/0.32"]
    assert not lines(drawn(run, "solved"), "own"), "there is no total to draw"
    single = drawn(run, "metric:pass_at/8")
    assert lines(single, "own")[0]["y"] == [0.6, 0.7] and single["percent"]


def test_a_validation_accuracy_has_its_interval() -> None:
    experiment = factories.make_experiment()
    for condition, shares in (("baseline", [0.1, 0.2]), ("mul_tokens", [0.4, 0.5])):
        run = factories.make_run("pretrain", experiment=experiment, condition=condition)
        accuracy, problems = "validation/gsm8k/accuracy", "validation/gsm8k/problems"
        factories.add_metrics(run.attempts.get(), {"loss": [1.0], accuracy: shares, problems: [100.0, 100.0]})
    assert kinds(run.pk)[0].key == "validation_gsm8k"
    chart = drawn(run, "validation_gsm8k")
    edges = [(one["line"]["color"], one["y"]) for one in lines(chart, "band")]
    expected = {
        "--condition-0": [wilson(10, 100), wilson(20, 100)],
        "--condition-1": [wilson(40, 100), wilson(50, 100)],
    }
    assert edges == [
        (shade, [pytest.approx(getattr(one, end), abs=1e-5) for one in of])
        for shade, of in expected.items()
        for end in ("low", "high")
    ]
    assert lines(chart, "own")[0]["y"] == [0.4, 0.5] and chart["latest"] == 0.5


def test_a_resumed_run_has_one_value_a_step_and_a_mark() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [5.0, 4.0, 3.0, 2.5]})
    run.refresh_from_db()
    second = factories.make_attempt(run, first_step=2)
    factories.add_metrics(second, {"loss": [3.1, 2.6]}, first_step=3)
    chart = drawn(run, "loss")
    (own,) = lines(chart, "own")
    assert (own["x"], own["y"]) == ([1, 2, 3, 4], [5.0, 4.0, 3.1, 2.6])
    layout = chart["figure"]["layout"]
    assert [(one["x0"], one["x1"]) for one in layout["shapes"]] == [(2.0, 2.0)]
    assert [one["hovertext"] for one in layout["annotations"]] == ["attempt 2 resumed at step 2"]
    assert drawn(run, "loss", "logx=1")["figure"]["layout"]["annotations"][0]["x"] == pytest.approx(
        math.log10(2)
    )


def test_a_later_attempt_that_went_further_back_hides_the_mark_before_it() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [5.0] * 6})
    for first_step in (4, 0):
        run.refresh_from_db()
        factories.add_metrics(
            factories.make_attempt(run, first_step=first_step), {"loss": [1.0]}, first_step=first_step + 1
        )
    found = drawn(run, "loss")["figure"]["layout"]["annotations"]
    assert [one["hovertext"] for one in found] == ["attempt 3 began again at step 0"]


def test_x_by_rollouts_tokens_and_time() -> None:
    run = factories.make_run("grpo")
    attempt = run.attempts.get()
    StageRun.objects.filter(pk=run.pk).update(
        spec=run.spec | {"settings": {"batch_size": 32, "gradient_accumulation": 2, "iterations": 2}}
    )
    factories.add_metrics(attempt, {"loss": [1.0, 2.0, 3.0], "tokens": [100.0, 250.0, 400.0]})
    xs = {x: lines(drawn(run, "loss", f"x={x}"), "own")[0]["x"] for x in chart_choices.XS}
    assert xs["rollouts"] == [32, 64, 96]
    assert xs["tokens"] == [100, 250, 400]
    assert xs["time"][1] - xs["time"][0] == pytest.approx(1.0, abs=1e-3)
    title = drawn(run, "loss", "x=time")["figure"]["layout"]["xaxis"]["title"]["text"]
    assert title == "seconds since the run began"


def test_x_that_was_not_recorded_falls_back_to_steps_and_says_so() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [1.0, 2.0]})
    for x in ("rollouts", "tokens"):
        assert drawn(run, "loss", f"x={x}")["figure"]["layout"]["xaxis"]["title"]["text"] == "step"


def test_a_long_gap_breaks_the_line_when_x_is_time() -> None:
    run = factories.make_run("pretrain")
    attempt = run.attempts.get()
    factories.add_metrics(attempt, {"loss": [1.0] * 5})
    later = {"loss": [2.0] * 5}
    factories.add_metrics(attempt, later, first_step=6)
    chunk = attempt.metrics.get(name="loss").chunks.order_by("first_step").last()
    assert chunk is not None
    chunk.times = (np.frombuffer(chunk.times, "<f8") + 600).tobytes()
    chunk.save()
    (own,) = lines(drawn(run, "loss", "x=time"), "own")
    assert own["y"] == [1.0] * 5 + [None] + [2.0] * 5
    assert None not in lines(drawn(run, "loss"), "own")[0]["y"]


def test_smoothing_has_the_raw_curve_behind() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [0.0, 1.0] * 50})
    chart = drawn(run, "loss", "smooth=0.99")
    (raw,), (own,) = lines(chart, "raw"), lines(chart, "own")
    assert raw["y"] == [0.0, 1.0] * 50
    assert max(own["y"][50:]) < 0.65


def test_log_axes_and_clipping_change_the_axes_only() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [1.0] * 500 + [1000.0]})
    layout = drawn(run, "loss", "logy=1&logx=1")["figure"]["layout"]
    assert (layout["xaxis"]["type"], layout["yaxis"]["type"]) == ("log", "log")
    chart = drawn(run, "loss", "clip=1")
    assert chart["figure"]["layout"]["yaxis"]["range"][1] < 2
    assert max(lines(chart, "own")[0]["y"]) == 1000.0


def test_long_series_are_thinned_keep_their_peak_and_show_more_when_a_part_is_looked_at() -> None:
    run = factories.make_run("pretrain")
    values = [math.sin(i / 500) for i in range(20_000)]
    values[12_345] = 9.0
    factories.add_metrics(run.attempts.get(), {"loss": values})
    (own,) = lines(drawn(run, "loss"), "own")
    assert len(own["x"]) <= chart_choices.POINTS
    assert max(own["y"]) == 9.0
    (part,) = lines(drawn(run, "loss", "between=100,200"), "own")
    assert part["x"] == list(range(99, 202))


def test_values_that_are_no_numbers_become_gaps() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [1.0, math.nan, math.inf, 2.0]})
    assert lines(drawn(run, "loss"), "own")[0]["y"] == [1.0, None, None, 2.0]


def test_new_points_are_read_though_old_ones_were_kept() -> None:
    run = factories.make_run("pretrain")
    factories.add_metrics(run.attempts.get(), {"loss": [3.0]})
    assert drawn(run, "loss")["latest"] == 3.0
    factories.add_metrics(run.attempts.get(), {"loss": [2.0]}, first_step=2)
    assert drawn(run, "loss")["latest"] == 2.0


def test_a_file_has_every_point_and_every_mean() -> None:
    run = StageRun.objects.select_related("condition", "stage", "experiment").get(pk=two_by_three().pk)
    choices = chart_choices.read(QueryDict("smooth=0.5"))
    wanted = [kind for kind in kinds(run.pk) if kind.key == "loss"]
    made = chart_files.rows(charts(run, wanted, choices)[0], choices)
    rows = [dict(zip(made.columns, row, strict=True)) for chunk in made.chunks for row in chunk]
    assert len(rows) == 6 * 3 + 2 * 3
    own = [row for row in rows if row["run"] == run.pk]
    assert [(row["step"], row["value"]) for row in own] == [(1, 2.1), (2, 2.1), (3, 2.1)]
    means = [row for row in rows if row["series"] == "mean of 3 seeds" and row["condition"] == "baseline"]
    assert [(row["low"], row["smoothed"], row["high"]) for row in means] == [(0.0, 1.0, 2.0)] * 3


@pytest.mark.parametrize(
    "query",
    ["x=moon", "smooth=1", "smooth=nan", "between=5,1", "clip=yes", "points=1e9", "runs=all", "hide_seeds=a"],
)
def test_a_choice_that_means_nothing_is_refused_with_what_could_stand_there(query: str) -> None:
    with pytest.raises(ValueError, match=r"choose|give"):
        chart_choices.read(QueryDict(query))
