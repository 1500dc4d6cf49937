"""An evaluation that asked no problem, as an empty benchmark file left it: it says so everywhere and breaks nothing."""

import csv
import io
import json
from collections.abc import Sequence

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories, histories, pages
from tests.webapp.comparison.problems.test_flips import content
from webapp.comparison.sentences.verdict_sentences import verdict_sentences
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.files.formats import FORMATS
from webapp.reports.experiment_tables import TABLES
from webapp.results.models import Evaluation, Outcome
from webapp.runs.models import StageRun, State
from webapp.runs.reuse import left_by
from workers.cli.main import main

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def evaluated(
    name: str = "demo-1", *, empty: Sequence[str] = ("baseline", "mul_tokens"), seeds: Sequence[int] = (0,)
):
    """Two stages that are over; the last one of the conditions `empty` was asked no problems."""
    stages = (("instruct", "sft"), ("grpo", "grpo"))
    experiment = factories.make_experiment(name, stages=stages, seeds=seeds)
    for run in StageRun.objects.filter(experiment=experiment).select_related("stage", "condition"):
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        none = run.stage.name == "grpo" and run.condition.name in empty
        factories.add_evaluation(attempt, [] if none else [i % 2 == 0 for i in range(40)])
    return experiment


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return " ".join(response.content.decode().split())


@pytest.mark.slow
@pytest.mark.parametrize("empty", [["baseline", "mul_tokens"], ["baseline"], ["mul_tokens"]])
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_it_reads_no_problems_wherever_an_accuracy_would_stand(
    ada: Client, empty: list[str], seeds: list[int]
) -> None:
    experiment = evaluated(empty=empty, seeds=seeds)
    nothing = Evaluation.objects.filter(attempt__stage_run__experiment=experiment, problems=0)
    assert "no problems" in text_of(ada, "/")
    assert text_of(ada, "/experiments/").count("no problems") >= len(empty)
    assert text_of(ada, "/experiments/demo-1/").count("no problems") == len(empty) * len(seeds)
    comparison = text_of(ada, "/experiments/demo-1/comparison/")
    assert "no problems</a>" in comparison
    assert "asked no problems" in comparison
    assert "cannot be compared" in comparison
    for one in nothing:
        assert "no problems" in text_of(ada, reverse("run", args=[one.attempt.stage_run_id]))
        assert "the benchmark’s file was empty when it ran" in text_of(
            ada, reverse("evaluation", args=[one.pk])
        )
    report = text_of(ada, "/experiments/demo-1/report/")
    assert "Asked no problems, so without a result: grpo" in report
    last = factories.run_of(experiment, empty[0], "grpo").pk
    assert "no problems" in text_of(ada, f"/compare/?experiment1=demo-1&run1={last}&experiment2=demo-1")
    assert "was asked no problems: there are none to compare" in text_of(
        ada, "/experiments/demo-1/flips/?first_stage=grpo&second_stage=grpo"
    )


@pytest.mark.slow
def test_no_file_of_it_breaks(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "webapp.pages.file_responses.close_old_connections", lambda: None
    )  # else the test's own connection goes
    evaluated()
    (first, _) = Evaluation.objects.filter(problems=0)
    rows = [f"/evaluations/{first.pk}/outcomes.{format}" for format in ("csv", "jsonl", "parquet")]
    rows += [f"/experiments/demo-1/outcomes.{format}" for format in ("csv", "jsonl", "parquet")]
    tables = [f"/experiments/demo-1/tables/{what}.{format}" for what in TABLES for format in FORMATS]
    tables += [f"/compare.{format}?experiment1=demo-1&experiment2=demo-1" for format in FORMATS]
    tables += [f"/experiments.{format}" for format in FORMATS]
    more = [
        "/experiments/demo-1/charts.json",
        "/experiments/demo-1/findings/",
        "/experiments/demo-1/report.md",
    ]
    more += [
        f"/experiments/demo-1/table.csv?metric={name}" for name in ("hit_limit_rate", "tokens_per_response")
    ]
    for address in (*rows, *tables, *more):
        response = ada.get(address)
        assert response.status_code == 200, address
        assert content(response) or address.endswith(".jsonl")  # no row, and no header either
    exported = list(csv.DictReader(io.StringIO(ada.get("/experiments/demo-1/table.csv").content.decode())))
    last = [row for row in exported if row["stage"] == "grpo"]
    assert [(row["condition"], row["correct"], row["problems"], row["accuracy"]) for row in last] == [
        ("baseline", "0", "0", ""),
        ("mul_tokens", "0", "0", ""),
    ]
    assert last[1]["refused"] == "both were asked no problems"
    found = json.loads(ada.get("/experiments/demo-1/table.json").content)
    assert [row["accuracy"] for row in found["rows"] if row["stage"] == "grpo"] == [None, None]


def test_the_command_line_says_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    evaluated()
    assert main(["table", "demo-1"]) == 0
    assert "| no problems |" in capsys.readouterr().out
    assert main(["report", "demo-1"]) == 0
    assert "no problems" in capsys.readouterr().out
    for what in ("details", "dynamics", "findings"):
        assert main(["table", "demo-1", "--what", what]) == 0


def test_an_evaluation_that_asked_something_counts_before_it() -> None:
    experiment = evaluated(empty=["mul_tokens"])
    run = factories.run_of(experiment, "mul_tokens", "grpo")
    again = factories.make_attempt(run, state=State.SUCCEEDED)
    factories.add_evaluation(again, [True] * 30 + [False] * 10)
    (sentence,) = verdict_sentences(stage_table(experiment))
    assert "75.0" in sentence.numbers
    third = factories.make_attempt(run, state=State.SUCCEEDED)
    factories.add_evaluation(third, [])
    assert verdict_sentences(stage_table(experiment)) == [sentence]


def test_it_is_not_taken_over() -> None:
    experiment = evaluated()
    run = factories.run_of(experiment, "baseline", "grpo")
    assert list(left_by([run])[run.pk].evaluations) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_page_answers_where_no_evaluation_asked_anything(ada: Client) -> None:
    found = histories.make_every_page()
    shown = Experiment.objects.get(name=found.experiment)
    Outcome.objects.filter(evaluation__attempt__stage_run__experiment=shown).delete()
    Evaluation.objects.filter(attempt__stage_run__experiment=shown).update(problems=0)
    without = {"samples", "stepper"}  # a problem's own pages, and there is none
    for name, address in (pages.PAGES | pages.MORE).items():
        if name not in without:
            assert ada.get(address(found)).status_code == 200, name
