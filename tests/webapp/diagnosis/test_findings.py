"""Findings on their pages and in the report: what is shown, together, and how long a reading is kept."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import factories
from tests.courses import (
    FAULTS,
    HACKED,
    LOST,
    course,
    experiment_kinds,
    findings,
    grpo,
    healthy,
    kinds,
    stages,
)
from training.recipes import recipe as recipes
from webapp.diagnosis import readings
from webapp.diagnosis.finding import Finding, Severity
from webapp.diagnosis.hypotheses import HYPOTHESES
from webapp.files.number_text import plain
from webapp.pages.templatetags import results
from webapp.reports import dynamics_table
from webapp.reports.report import report
from webapp.runs.models import StageRun, State

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_gets_exactly_its_findings_from_rows_to_page(fault: str, client: Client) -> None:
    metrics, wanted = FAULTS[fault]
    run = grpo(metrics)
    assert kinds(run) == wanted
    assert experiment_kinds(run.experiment) == wanted
    client.force_login(run.experiment.owner)
    page = client.get(f"/experiments/{run.experiment.name}/findings/").content.decode()
    shown = re.findall(r'data-kind="(\w+)" data-severity="(\w+)"', page)
    assert dict(shown) == {kind: severity.word for kind, severity in wanted.items()}
    text = report(run.experiment)
    for one in findings(run):
        assert f"{one.severity.word.capitalize()}: {plain(one.headline)}" in text
    if not wanted:
        assert "None of the rules found anything. That is no proof of health" in text


def test_the_same_finding_in_several_runs_is_one_line(client: Client) -> None:
    experiment = factories.make_experiment(stages=(("instruct", "sft"), ("grpo", "grpo")), seeds=(0, 1, 2))
    for run in StageRun.objects.filter(experiment=experiment, stage__kind="grpo").select_related("condition"):
        run.spec["settings"] = {"batch_size": 64}
        attempt = factories.make_attempt(run, state=State.SUCCEEDED)
        metrics = healthy(run.seed)
        if run.condition.name == "mul_tokens":
            metrics |= LOST | {"hit_limit": course(0.02, 0.4 + run.seed / 20, 0.01)}
        if run.condition.name == "mul_tokens" and run.seed == 1:
            metrics |= {"kl": course(0, 3, 0.05)}
        factories.add_metrics(attempt, metrics)
    found = readings.of_experiment(experiment)
    assert len(found) == 4
    critical, warning = readings.grouped(found)
    assert (critical.kind, critical.where) == ("kl_runaway", "grpo, mul_tokens, seed 1")
    assert (warning.kind, warning.where) == ("hit_limit", "grpo, mul_tokens, seeds 0, 1, 2")
    assert warning.headline == "Many rollouts are cut at the token limit"
    assert len(warning.readings) == 1 and len(warning.advice) == 2
    client.force_login(experiment.owner)
    page = client.get(f"/experiments/{experiment.name}/findings/").content.decode()
    assert page.count('<li class="finding"') == 2
    for seed in (0, 1, 2):
        number = factories.run_of(experiment, "mul_tokens", "grpo", seed).pk
        assert f'href="/runs/{number}/" aria-label="grpo, mul_tokens, seed {seed}">{seed}</a>' in page
    text = report(experiment)
    assert (
        text.count("Many rollouts are cut at the token limit (grpo, mul_tokens, seeds 0, 1, 2, from step")
        == 1
    )
    assert len([one for one in found if f"{one.where}: {plain(one.evidence)}" in text]) == 3


def component(name: str, severity: Severity = Severity.INFO) -> Finding:
    return Finding(
        kind="component_without_spread",
        severity=severity,
        headline=f"The reward’s component {name} never pays",
        evidence=f"The mean of {name} is 0.",
        reading="",
        not_shown="",
        stage="grpo",
        condition="baseline",
        seed=0,
        common="Components of the reward that never pay",
        named=name,
    )


def test_components_of_a_reward_are_one_finding_that_names_them_and_notes_fold() -> None:
    alone, both = readings.grouped([component("a")]), readings.grouped([component("a"), component("b")])
    assert [one.headline for one in alone] == ["The reward’s component a never pays"]
    assert [one.headline for one in both] == ["Components of the reward that never pay: a, b"]
    (warning,) = readings.grouped([component("c", Severity.WARNING)])
    few, many = [warning, *both], [warning, *alone, *alone, *alone]
    assert (results.to_read_first(few), results.notes_folded(few)) == (few, [])
    assert (results.to_read_first(many), results.notes_folded(many)) == ([warning], many[1:])


def test_findings_stand_on_the_pages_and_in_the_report(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    run = grpo(HACKED)
    name = run.experiment.name
    headline = "Reward rises while correctness is flat: uses_mul_tokens pays for it"
    part = client.get(f"/runs/{run.pk}/findings/").content.decode()
    assert headline in part
    assert "Set the weight of uses_mul_tokens to 0, or reward right answers alone." in part
    assert 'href="/experiments/new/hypothesis_d_one_step/?set=seeds%3D%5B0%5D&amp;set=alpha%3D0.05"' in part
    assert '<td class="text trend">flat</td>' in client.get(f"/runs/{run.pk}/dynamics/").content.decode()
    page = client.get(f"/runs/{run.pk}/").content.decode()
    assert f'hx-get="/runs/{run.pk}/findings/"' in page
    assert f'hx-get="/runs/{run.pk}/dynamics/"' in page
    assert headline in client.get(f"/experiments/{name}/findings/").content.decode()
    page = client.get(f"/experiments/{name}/").content.decode()
    assert f'hx-get="/experiments/{name}/findings/"' in page
    text = report(run.experiment)
    assert f"Critical: {headline}" in text
    order = [
        "## Training dynamics",
        "## Findings",
        "## Diagnosis",
        "## What is supported",
        "## Next steps, in order",
    ]
    assert sorted(order, key=text.index) == order
    assert "(1) Hypothesis D, a simpler task (mulberry launch hypothesis_d_one_step)" in text
    run.experiment.recipe["name"] = "hypothesis_d_one_step"
    assert "(1) Hypothesis D, a simpler task (go on with this one)" in report(run.experiment)
    assert headline in report(run.experiment, format="html")


def test_every_link_of_a_finding_leads_somewhere(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    for found in (*findings(grpo(HACKED)), *findings(stages([True] * 300 + [False] * 100, [False] * 400))):
        assert found.links
        for url in [link.url.partition("#")[0] for link in found.links]:
            assert client.get(url).status_code == 200, url


def test_a_reading_is_kept_until_there_is_news(django_assert_max_num_queries) -> None:
    run = grpo(HACKED)
    with django_assert_max_num_queries(30):  # none grows with the run
        findings(run)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert findings(run)
    assert len(queries) == 3, "the run, how far its journal is in, and what is kept"
    attempt = run.attempts.get()
    attempt.metrics.filter(name="accuracy").delete()
    factories.next_seq(attempt)
    assert findings(run) == []


def test_a_reused_run_has_what_was_found_where_it_was_trained() -> None:
    source = grpo(HACKED)
    experiment = factories.make_experiment("demo-2", owner=source.experiment.owner)
    run = factories.make_run("grpo", experiment=experiment, state=State.SUCCEEDED)
    assert findings(run) == []
    run.reused_from = source
    run.save()
    (found,) = (one for one in findings(run) if one.kind == "reward_without_correctness")
    assert (found.run, found.stage) == (run.pk, "grpo")
    assert {link.of for link in found.links if link.route in ("run", "rollouts")} == {source.pk}
    assert readings.of_run(run).dynamics == readings.of_run(source).dynamics
    assert "reward_without_correctness" in experiment_kinds(experiment)
    told = [row for one, row in dynamics_table.of_experiment(experiment) if one == run]
    assert told and told == [row for _, row in dynamics_table.of_experiment(source.experiment)]


def test_every_hypothesis_has_its_recipe() -> None:
    assert [one.letter for one in HYPOTHESES] == list("ABCDE")
    named = [name for one in HYPOTHESES for name in (one.recipe, *one.other_recipes)]
    assert len(set(named)) == len(named)
    for name in named:
        recipes.build(recipes.shipped(name))


def test_the_document_lists_every_kind() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "findings.md").read_text(), re.MULTILINE))
    folder = ROOT / "webapp" / "diagnosis" / "rules"
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    named = re.findall(r'kind="(\w+)"(?: if never else "(\w+)")?', source)
    assert listed == {kind for pair in named for kind in pair if kind}
