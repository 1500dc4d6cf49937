"""Each attempt records the version of the code that computed it; pages and files show those that count."""

import csv
import io
import json

import pytest
from django.test import Client

from tests import factories
from tests.webapp.comparison.problems.test_flips import content
from training.process.journal import Journal
from training.recipes import recipe as recipes
from webapp.comparison.table import stage_table
from webapp.experiments.models import Experiment
from webapp.launch import launch
from webapp.reports import report
from webapp.runs import code_versions
from webapp.runs.models import Attempt, StageRun, State
from webapp.runs.origin import origin
from webapp.runs.reuse import left_by
from workers.ingest import Ingest

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def attempted(
    experiment: Experiment, condition: str, *versions: str | None, steps: tuple[int, ...] = ()
) -> StageRun:
    """The GRPO run of a condition after attempts of these versions, each from its step (0 for the first)."""
    run = factories.run_of(experiment, condition, "grpo")
    for place, version in enumerate(versions):
        begun = steps[place] if steps else 50 * place
        attempt = factories.make_attempt(run, state=State.SUCCEEDED, first_step=begun, code_version=version)
        factories.add_evaluation(attempt, [place > 0, True], labels=lambda i: ["a"])
    factories.add_metrics(attempt, {"reward": [0.1] * 40}, first_step=begun + 1)
    factories.add_rollouts(attempt, step=begun + 1)
    return run


def small(launched: str = "aaa") -> Experiment:
    return factories.make_experiment(stages=(("sft", "sft"), ("grpo", "grpo")), code_version=launched)


def test_the_journal_tells_it(tmp_path) -> None:
    attempt = factories.make_attempt(factories.run_of(small(), "baseline", "sft"), run_dir=str(tmp_path))
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=0, pid=1, code="bbb\x00")
    journal.close()
    Ingest(attempt.pk).drain()
    attempt.refresh_from_db()
    assert attempt.code_version == "bbb"


def test_a_journal_of_before_tells_none(tmp_path) -> None:
    attempt = factories.make_attempt(factories.run_of(small(), "baseline", "sft"), run_dir=str(tmp_path))
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=7, pid=1)
    journal.close()
    Ingest(attempt.pk).drain()
    attempt.refresh_from_db()
    assert (attempt.code_version, attempt.first_step) == (None, 7)


@pytest.mark.parametrize(
    ("versions", "steps", "counting"),
    [
        (["a"], (0,), ["a"]),
        (["a", "b"], (0, 50), ["a", "b"]),
        (["a", "b"], (0, 0), ["b"]),  # nothing of the first is left
        (["a", "b", "c"], (0, 50, 50), ["a", "c"]),
        (["a", "b", "a"], (0, 50, 70), ["a", "b"]),
        (["a", None, "c"], (0, 50, 70), ["a", "c"]),
        (["a, b", "c"], (0, 50), ["a", "b", "c"]),  # of a result that was taken over
    ],
)
def test_those_count_that_something_is_left_of(versions, steps, counting) -> None:
    attempts = [
        Attempt(number=place, first_step=step, code_version=version)
        for place, (version, step) in enumerate(zip(versions, steps, strict=True), 1)
    ]
    assert code_versions.contributing(attempts) == counting


def test_files_have_the_version_that_computed_the_rows(ada: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "webapp.pages.file_responses.close_old_connections", lambda: None
    )  # else the test's own connection goes
    experiment = small("aaa")
    runs = [attempted(experiment, "baseline", "bbb"), attempted(experiment, "mul_tokens", "bbb", "ccc")]
    expected = {"baseline": {"bbb"}, "mul_tokens": {"bbb, ccc"}}
    by_file = {
        "table.csv": expected,
        "tables/details.csv": expected,
        "tables/dynamics.csv": expected,
        "outcomes.csv": expected | {"mul_tokens": {"ccc"}},  # an outcome is one attempt's
        "rollouts.csv": expected | {"mul_tokens": {"ccc"}},
    }
    by_file |= {
        f"/runs/{run.pk}/metrics.csv": {run.condition.name: expected[run.condition.name]} for run in runs
    }
    for file, wanted in by_file.items():
        response = ada.get(file if file.startswith("/") else f"/experiments/demo-1/{file}")
        assert response.status_code == 200, file
        found: dict[str, set[str]] = {}
        for row in csv.DictReader(io.StringIO(content(response).decode())):
            if row.get("over_seeds") != "true":
                found.setdefault(row["condition"], set()).add(row["code_version"])
        assert found == wanted, file
    (row, *_) = json.loads(ada.get("/experiments.json").content)["rows"]
    assert row["code_version"] == "bbb, ccc"


def test_it_is_said_where_the_attempts_of_an_experiment_differ(ada: Client) -> None:
    experiment = small("aaa")
    attempted(experiment, "baseline", "bbb")
    assert origin(experiment)["Code version"] == "bbb; launched by aaa"
    run = attempted(experiment, "mul_tokens", "bbb", "ccc")
    said = "bbb, ccc: its runs were computed by different code; launched by aaa"
    assert origin(experiment)["Code version"] == said
    assert f"Code: {said}" in report.report(experiment)
    assert f"<strong>{said}</strong>" in ada.get("/experiments/demo-1/").content.decode()
    assert said in ada.get("/experiments/demo-1/comparison/").content.decode()
    page = ada.get(f"/runs/{run.pk}/").content.decode()
    assert "<code>bbb</code>" in page
    assert "<code>ccc</code>" in page


@pytest.mark.parametrize(("launched", "text"), [("aaa", "aaa"), ("", "not recorded")])
def test_an_experiment_of_before_has_the_version_that_launched_it(launched: str, text: str) -> None:
    experiment = small(launched)
    attempted(experiment, "baseline", None)
    versions = code_versions.of_experiment(experiment)
    assert (versions.text, versions.short, versions.computed_by) == (text, launched, [])
    (row, *_) = [cell for cell in stage_table(experiment).cells() if cell.complete]
    assert versions.of_run(row.run) == launched


def test_what_is_taken_over_keeps_its_version() -> None:
    run = attempted(small(), "baseline", "bbb", "ccc")
    assert left_by([run])[run.pk].code_version == "bbb, ccc"


def test_a_launch_asks_for_the_version_before_it_holds_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(launch, "code_version", lambda: order.append("version") or "abc")
    next_name = launch._next_name
    monkeypatch.setattr(launch, "_next_name", lambda name: order.append("lock") or next_name(name))
    smoke = recipes.build(recipes.read("smoke"))
    experiment = launch.launch(recipe=smoke, owner=factories.make_user(), reuse=False)
    assert (order, experiment.code_version) == (["version", "lock"], "abc")
