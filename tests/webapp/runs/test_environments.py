"""With what a run was computed: recorded by each attempt, told by pages, provenance, report and reuse."""

import pytest
from django.test import Client

from tests import factories
from training.process.environment import versions
from training.process.journal import Journal
from webapp.launch.reuse import LaunchPlan, lines
from webapp.reports.report import report
from webapp.runs import environments
from webapp.runs.models import State
from webapp.runs.origin import origin
from webapp.runs.reuse import Benchmarks, left_by, offer, take_over
from workers.ingest import Ingest

pytestmark = pytest.mark.django_db

OLD = {**versions(), "torch": "2.1.0", "device": "NVIDIA H200", "threads": 4, "processes": 2}
NEW = {**versions(), "device": "cpu", "threads": 1, "processes": 1}


def test_the_journal_tells_it(tmp_path) -> None:
    run = factories.run_of(factories.make_experiment(), "baseline", "grpo")
    attempt = factories.make_attempt(run, run_dir=str(tmp_path))
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=0, pid=1, code="bbb", environment=NEW)
    journal.close()
    Ingest(attempt.pk).drain()
    attempt.refresh_from_db()
    assert attempt.environment == NEW


def test_what_differs_is_told_with_each_value_and_what_is_unlike_here() -> None:
    said = environments.together([NEW, None, OLD])
    assert said.startswith("cpu and NVIDIA H200, 1 and 4 threads, 1 and 2 processes; ")
    assert f"torch {versions()['torch']} and 2.1.0" in said
    assert environments.described(NEW).startswith("cpu, 1 thread; python ")
    assert environments.unlike_here(NEW) == environments.unlike_here(None) == ""
    assert environments.unlike_here(OLD) == f"torch 2.1.0 (here {versions()['torch']})"


def test_provenance_report_page_and_reuse_show_it(client: Client) -> None:
    experiment = factories.make_experiment()
    run = factories.run_of(experiment, "baseline", "grpo")
    attempt = factories.make_attempt(run, state=State.SUCCEEDED, environment=OLD, contamination=[])
    factories.add_checkpoint(attempt)
    assert origin(experiment)["Computed on"] == environments.described(OLD)
    assert f"Computed on: {environments.described(OLD)}" in report(experiment)
    client.force_login(experiment.owner)
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert "NVIDIA H200, 4 threads" in page
    assert f"unlike here: torch 2.1.0 (here {versions()['torch']})" in page

    run.refresh_from_db()
    offered = offer(left_by([run])[run.pk], [], [], Benchmarks())
    place = ("baseline", "grpo", 0)
    from training.recipes.recipe import StageSpec

    spec = StageSpec.model_construct(condition="baseline", stage="grpo", seed=0)
    (line,) = lines(LaunchPlan([spec], {}, {place: offered}))
    assert "in demo-1; unlike here: torch 2.1.0" in line.text, "what is as here is on its run's page"

    other = factories.run_of(factories.make_experiment(name="other"), "baseline", "grpo")
    take_over([(other, offered)])
    taken = other.attempts.get(number=0)
    assert (taken.environment, taken.contamination) == (OLD, [])
    assert run.state == State.SUCCEEDED
