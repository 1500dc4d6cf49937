"""Every benchmark after the last stages in one table: each compared by itself, the planned one first."""

import pytest
from django.test import Client

from tests import factories
from webapp.comparison.tables import benchmark_table
from webapp.experiments.models import Experiment
from webapp.results.models import Evaluation
from webapp.runs.models import State
from webapp.statistics.proportions import tango

pytestmark = pytest.mark.django_db
OTHER = "arithmetic_probes"
STAGES = (("drills", "sft"), ("grpo", "grpo"))


def evaluated(*conditions: str, seeds: tuple[int, ...] = (0,)) -> Experiment:
    """On two benchmarks after each of two stages: the more is right the further right its condition stands, on the second the less."""
    made = factories.make_experiment(conditions=("baseline", *conditions), stages=STAGES, seeds=seeds)
    asked = factories.EVALUATION_SETTINGS | {"problems_sha256": 64 * "1"}
    for run in made.runs.select_related("condition", "stage"):
        run.spec["benchmarks"] = [
            {"benchmark": name, "problems": 60} for name in (factories.BENCHMARK, OTHER)
        ]
        run.save()
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        moved = run.condition.position * 10 + run.seed
        factories.add_evaluation(attempt, [i < 20 + moved for i in range(60)])
        factories.add_evaluation(
            attempt, [i < 50 - moved for i in range(60)], benchmark=OTHER, settings=asked
        )
    return made


def test_each_benchmark_has_a_line_after_the_last_stage() -> None:
    experiment = evaluated("mul_tokens")
    lines = benchmark_table.sheet(benchmark_table.tables(experiment)).page_view.rows
    assert [(one.benchmark, one.stage, one.condition) for one in lines] == [
        (factories.BENCHMARK, "grpo", "mul_tokens"),
        (OTHER, "grpo", "mul_tokens"),
    ]
    helped, harmed = (one.other.compared for one in lines)
    assert (helped.delta, harmed.delta) == (10 / 60, -10 / 60)
    assert helped.interval == tango(10, 0, 60, 0.95)
    assert [one.baseline.shown.fraction for one in lines] == ["20/60", "50/60"]
    assert [one.other.compared.family.role for one in lines] == ["primary", "exploratory"]


def test_over_seeds_and_for_several_conditions_it_has_the_means() -> None:
    experiment = evaluated("a", "b", seeds=(0, 1, 2))
    lines = benchmark_table.sheet(benchmark_table.tables(experiment)).page_view.rows
    assert [(one.benchmark, one.condition) for one in lines] == [
        (benchmark, condition) for benchmark in (factories.BENCHMARK, OTHER) for condition in ("a", "b")
    ]
    assert [len(one.other.compared.seeds) for one in lines] == [3] * 4
    assert [round(60 * one.other.compared.delta) for one in lines] == [10, 20, -10, -20]


def test_another_baseline_is_taken_and_an_unknown_one_refused(client: Client) -> None:
    experiment = evaluated("a", "b")
    client.force_login(experiment.owner)
    lines = benchmark_table.sheet(benchmark_table.tables(experiment, "b")).page_view.rows
    assert [one.condition for one in lines[:2]] == ["baseline", "a"]
    assert client.get("/experiments/demo-1/benchmarks/?baseline=nobody").status_code == 400


def test_the_comparison_loads_it_where_there_are_several(client: Client) -> None:
    experiment = evaluated("mul_tokens")
    client.force_login(experiment.owner)
    address = "/experiments/demo-1/benchmarks/?baseline=baseline"
    assert f'hx-get="{address}"' in client.get("/experiments/demo-1/comparison/").content.decode()
    page = client.get(address).content.decode()
    for name in (factories.BENCHMARK, OTHER):
        assert f'href="/experiments/demo-1/comparison/?benchmark={name}&amp;baseline=baseline"' in page
    assert "+16.7" in page and "−16.7" in page
    rows = client.get("/experiments/demo-1/tables/benchmarks.json").json()
    assert {(row["benchmark"], row["stage"]) for row in rows["rows"]} == {
        (factories.BENCHMARK, "grpo"),
        (OTHER, "grpo"),
    }
    assert (
        rows["provenance"]["Problems (SHA-256)"] == f"{factories.BENCHMARK}: {12 * '0'}; {OTHER}: {12 * '1'}"
    )
    assert (
        "benchmarks/?baseline"
        not in client.get("/experiments/demo-1/comparison/?problems=first:9").content.decode()
    )
    assert client.get("/experiments/demo-1/tables/benchmarks.csv?problems=first:9").status_code == 400
    experiment.runs.update(spec={"benchmarks": [{"benchmark": factories.BENCHMARK, "problems": 60}]})
    assert "benchmarks/?baseline" not in client.get("/experiments/demo-1/comparison/").content.decode()


def test_the_last_stage_that_asks_a_benchmark_counts_and_that_of_the_planned_question() -> None:
    experiment = evaluated("mul_tokens")
    Evaluation.objects.filter(benchmark=OTHER, attempt__stage_run__stage__name="grpo").delete()
    for run in experiment.runs.filter(stage__name="grpo"):
        run.spec["benchmarks"] = run.spec["benchmarks"][:1]
        run.save()
    lines = benchmark_table.sheet(benchmark_table.tables(experiment)).page_view.rows
    assert [(one.benchmark, one.stage) for one in lines] == [(factories.BENCHMARK, "grpo"), (OTHER, "drills")]
    question = {"benchmark": factories.BENCHMARK, "stage": "drills"}
    Experiment.objects.filter(pk=experiment.pk).update(recipe={"primary": question})
    lines = benchmark_table.sheet(benchmark_table.tables(Experiment.objects.get())).page_view.rows
    assert [(one.stage, one.planned) for one in lines] == [
        ("drills", True),
        ("grpo", False),
        ("drills", False),
    ]


def test_one_condition_alone_has_no_such_table() -> None:
    experiment = evaluated()
    with pytest.raises(ValueError, match="has one condition"):
        benchmark_table.table(experiment)
