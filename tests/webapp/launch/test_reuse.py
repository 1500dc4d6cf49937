"""What a launch takes over from finished runs, what it leaves to compute, and what a fork insists on."""

import re
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests import factories
from training.recipes import recipe as recipes
from training.recipes.recipe import RecipeError
from training.settings.shared import CodeChange
from training.stages.grpo.config import GrpoSettings
from webapp.comparison.table import stage_table
from webapp.comparison.tables.stage_tables import provenance
from webapp.experiments.models import Experiment
from webapp.launch import reuse
from webapp.launch.launch import launch
from webapp.launch.reuse import Fork
from webapp.results.models import Outcome
from webapp.results.outcome_counts import latest_accuracies
from webapp.runs import services
from webapp.runs.models import Attempt, Checkpoint, Event, StageRun
from workers.cli.commands import plan

pytestmark = [pytest.mark.services, pytest.mark.django_db]
STAGES = ["pretrain", "instruct", "curriculum", "grpo"]
SHORT = {"benchmark": "one_step_multiplication", "problems": 4, "max_new_tokens": 28}
PROBES = {"benchmark": "arithmetic_probes", "problems": 3, "max_new_tokens": 8}


def start(*changes: tuple[str, Any], **how: Any) -> Experiment:
    recipe = recipes.build(recipes.read("smoke"), [("benchmarks", [SHORT]), *changes])
    return launch(recipe=recipe, owner=factories.make_user(), **how)


def states(experiment: Experiment, condition: str = "baseline", seed: int = 0) -> list[str]:
    return [str(factories.run_of(experiment, condition, stage, seed).state) for stage in STAGES]


@pytest.fixture
def finish(tmp_path: Path) -> Callable[..., None]:
    def finish(experiment: Experiment, *stages: str, condition: str | None = None) -> None:
        for run in StageRun.objects.filter(experiment=experiment).order_by("stage__position", "pk"):
            if run.stage.name in (stages or STAGES) and condition in (None, run.condition.name):
                run.refresh_from_db()
                if run.state == "ready":
                    factories.finish(run, tmp_path, right=[True, False, run.condition.position == 1])

    return finish


def test_equal_stages_are_taken_over_and_their_children_are_ready(finish: Callable[..., None]) -> None:
    first = start()
    finish(first)
    second = start(("stages.curriculum.optimizer.weight_decay", 0.1))
    for condition in ("baseline", "mul_tokens"):
        assert states(second, condition) == ["succeeded", "succeeded", "ready", "waiting"]
        source = factories.run_of(first, condition, "instruct")
        run = factories.run_of(second, condition, "instruct")
        assert (run.reused_from, run.reused_note) == (source, f"{first.name} / run {source.pk}")
        assert run.identity == source.identity != ""
        taken, made = (Checkpoint.objects.get(attempt__stage_run=one) for one in (run, source))
        assert (taken.path, taken.manifest_sha256) == (made.path, made.manifest_sha256)
        event = Event.objects.get(stage_run=run)
        assert (event.to_state, event.text) == ("succeeded", f"reused from {run.reused_note}")


def test_their_results_stand_in_the_table_and_outlive_the_source(finish: Callable[..., None]) -> None:
    first = start()
    finish(first)
    before = [(c.stage, c.condition, c.count, c.result.problems) for c in stage_table(first).cells()]
    second = start()
    table = stage_table(second)
    assert [(c.stage, c.condition, c.count, c.result.problems) for c in table.cells()] == before
    accuracies = latest_accuracies([c.run for c in table.cells() if c.run], table.benchmark)
    assert [accuracies[c.run].correct for c in table.cells() if c.run] == [c.count for c in table.cells()]
    assert table.rows[0].seeds[0].comparisons[0] is not None
    assert f"pretrain of baseline from {first.name} / run" in provenance(table)["Reused"]
    assert (
        not Outcome.objects.filter(evaluation__attempt__stage_run__experiment=second)
        .filter(prompt="")
        .exists()
    )
    first.delete()
    run = factories.run_of(second, "baseline", "grpo")
    assert run.reused_from is None and run.reused_note.startswith("smoke-1 / run")
    assert stage_table(second).complete
    third = start()  # what was taken over can be taken over again
    assert set(states(third)) == {"succeeded"}
    assert factories.run_of(third, "baseline", "grpo").reused_from == run


def test_the_run_that_computed_it_is_named_not_one_that_reused_it(finish: Callable[..., None]) -> None:
    first = start()
    finish(first)
    start()
    assert factories.run_of(start(), "baseline", "grpo").reused_from == factories.run_of(
        first, "baseline", "grpo"
    )


def test_what_is_not_finished_or_switched_off_is_computed(finish: Callable[..., None]) -> None:
    first = start()
    finish(first, "pretrain", condition="baseline")
    second = start()
    assert states(second) == ["succeeded", "ready", "waiting", "waiting"]
    assert states(second, "mul_tokens") == ["ready", "waiting", "waiting", "waiting"]
    assert states(start(reuse=False)) == ["ready", "waiting", "waiting", "waiting"]


def test_a_removed_checkpoint_is_not_offered(finish: Callable[..., None]) -> None:
    first = start()
    finish(first)
    gone = Checkpoint.objects.get(attempt__stage_run=factories.run_of(first, "baseline", "instruct"))
    shutil.rmtree(gone.path)
    cut = Checkpoint.objects.get(attempt__stage_run=factories.run_of(first, "mul_tokens", "grpo"))
    (Path(cut.path) / "model.safetensors").write_text("cut")
    second = start()
    assert states(second) == ["succeeded", "ready", "succeeded", "succeeded"]
    assert states(second, "mul_tokens") == ["succeeded", "succeeded", "succeeded", "ready"]


def test_a_new_benchmark_is_evaluated_and_the_rest_taken_over(finish: Callable[..., None]) -> None:
    first = start()
    finish(first, "pretrain")
    second = start(("benchmarks", [SHORT, PROBES]))
    run = factories.run_of(second, "baseline", "pretrain")
    assert (run.state, run.reused_note) == ("ready", f"{first.name} / run {run.reused_from_id}")
    taken = Attempt.objects.get(stage_run=run)
    assert (taken.number, taken.outcome) == (0, "reused")
    assert [e.benchmark for e in taken.evaluations.all()] == ["one_step_multiplication"]
    assert "still to evaluate: arithmetic_probes" in Event.objects.get(stage_run=run).text
    longer = start(("benchmarks", [SHORT | {"problems": 5}]))
    attempt = Attempt.objects.get(stage_run=factories.run_of(longer, "baseline", "pretrain"))
    assert not attempt.evaluations.exists()  # fewer problems are another result


def test_results_of_all_runs_of_one_checkpoint_are_taken(finish: Callable[..., None], tmp_path: Path) -> None:
    first = start()
    finish(first, "pretrain")
    second = start(("benchmarks", [SHORT, PROBES]))
    run = factories.run_of(second, "baseline", "pretrain")
    attempt = factories.make_attempt(run, state="succeeded")
    made = Checkpoint.objects.get(attempt__stage_run=run)
    again = factories.add_checkpoint(attempt)
    Checkpoint.objects.filter(pk=again.pk).update(path=made.path, manifest_sha256=made.manifest_sha256)
    wanted = reuse.runs.Benchmarks().wanted(recipes.BenchmarkSettings(**PROBES))
    factories.add_evaluation(attempt, [True] * 3, benchmark="arithmetic_probes", settings=wanted)
    third = start(("benchmarks", [PROBES, SHORT]))
    assert states(third)[0] == "succeeded"


def test_files_that_changed_after_launch_make_another_result(finish: Callable[..., None]) -> None:
    first = start()
    finish(first, "pretrain")
    source = {"path": "data", "source": "statements", "version": 1, "name": "generated", "revision": None}
    learnt = [{**source, "sha256": "f" * 64, "rows": None}]
    Attempt.objects.filter(stage_run=factories.run_of(first, "baseline", "pretrain")).update(data=learnt)
    second = start()
    assert (states(second)[0], states(second, "mul_tokens")[0]) == ("ready", "succeeded")


def test_four_queries_find_what_can_be_reused(finish: Callable[..., None]) -> None:
    for _ in range(2):
        finish(start(reuse=False))
    specs = recipes.resolve(recipes.build(recipes.read("smoke"), [("benchmarks", [SHORT])]))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert len(reuse.reusable(specs)) == 8
    assert len(asked) == 4


TWINS = ("conditions.mul_tokens.overrides", {"stages.grpo.beta": 0.5})


def test_conditions_compute_what_they_share_once(finish: Callable[..., None]) -> None:
    experiment = start(TWINS)
    assert states(experiment, "mul_tokens") == ["waiting"] * 4
    finish(experiment, "pretrain")
    assert states(experiment, "mul_tokens") == ["succeeded", "waiting", "waiting", "waiting"]
    twin = factories.run_of(experiment, "mul_tokens", "pretrain")
    assert twin.reused_from == factories.run_of(experiment, "baseline", "pretrain")
    finish(experiment, "instruct", "curriculum")
    assert states(experiment, "mul_tokens") == ["succeeded", "succeeded", "succeeded", "ready"]
    finish(experiment)
    assert stage_table(experiment).complete
    assert Attempt.objects.filter(stage_run__experiment=experiment, number=1).count() == 5
    assert states(start(TWINS, reuse=False), "mul_tokens")[0] == "ready"


def test_who_waits_for_another_condition_is_cancelled_and_retried_with_it(
    finish: Callable[..., None],
) -> None:
    experiment = start(TWINS)
    first = factories.run_of(experiment, "baseline", "pretrain")
    services.cancel(run=first, by="ada")
    assert states(experiment, "mul_tokens") == ["cancelled"] * 4
    services.retry_experiment(experiment=experiment, by="ada")
    assert states(experiment) == ["ready", "waiting", "waiting", "waiting"]
    assert states(experiment, "mul_tokens") == ["waiting"] * 4
    services.cancel(run=factories.run_of(experiment, "mul_tokens", "instruct"), by="ada")
    finish(experiment, "pretrain", "instruct")
    assert states(experiment, "mul_tokens") == ["succeeded", "cancelled", "waiting", "waiting"]
    services.retry(run=factories.run_of(experiment, "mul_tokens", "instruct"), by="ada")
    assert states(experiment, "mul_tokens") == ["succeeded", "succeeded", "waiting", "waiting"]


def test_a_fork_has_what_stands_above_it_even_when_the_vocabulary_would_change(
    finish: Callable[..., None],
) -> None:
    first = start()
    finish(first)
    changes = [("stages.grpo.data.word_problems.phrasing", "plain"), ("stages.grpo.prompts", 16)]
    recipe = recipes.build(first.recipe, changes)
    owner = factories.make_user()
    clone = launch(recipe=recipe, owner=owner, origin=first)
    assert states(clone)[0] == "ready"
    assert (clone.origin, clone.origin_note) == (first, "clone of smoke-1")
    second = launch(recipe=recipe, owner=owner, reuse=False, fork=Fork(first, "grpo"))
    assert states(second) == ["succeeded", "succeeded", "succeeded", "ready"]
    assert (second.origin, second.origin_note) == (first, "fork of smoke-1 at grpo")
    corpus = factories.run_of(first, "baseline", "pretrain").spec["corpus"]
    assert factories.run_of(second, "baseline", "grpo").spec["corpus"] == corpus
    third = launch(recipe=recipe, owner=owner, fork=Fork(second, "grpo"))  # a fork of a fork
    assert states(third) == ["succeeded", "succeeded", "succeeded", "ready"]
    forms = factories.run_of(first, "baseline", "grpo").spec["forms"]
    assert len(forms) == 2
    alone = recipes.build({**first.recipe, "conditions": first.recipe["conditions"][:1]}, changes)
    fourth = launch(recipe=alone, owner=owner, fork=Fork(first, "grpo"))  # keeps the choice of examples
    assert states(fourth) == ["succeeded", "succeeded", "succeeded", "ready"]
    assert {repr(run.spec["forms"]) for run in fourth.runs.all()} == {repr(forms)}
    computed = factories.run_of(first, "baseline", "pretrain")
    assert factories.run_of(third, "baseline", "pretrain").reused_from == computed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("stages.instruct.batch_size", 8), "instruct of baseline, seed 0 stands above the fork and would be another"),
        (("seeds", [3]), "smoke-1 has no pretrain of baseline, seed 3; a fork keeps conditions and seeds"),
    ],
)  # fmt: skip
def test_a_fork_changes_nothing_above_it(
    finish: Callable[..., None], change: tuple[str, Any], says: str
) -> None:
    first = start()
    finish(first)
    with pytest.raises(RecipeError, match=says):
        launch(
            recipe=recipes.build(first.recipe, [change]),
            owner=factories.make_user(),
            fork=Fork(first, "curriculum"),
        )
    assert Experiment.objects.count() == 1


def test_a_fork_takes_finished_stages_that_are_still_there(finish: Callable[..., None]) -> None:
    first = start()
    finish(first, "pretrain", "instruct")
    recipe, owner = recipes.build(first.recipe), factories.make_user()
    with pytest.raises(RecipeError, match="curriculum of baseline, seed 0 is ready in smoke-1"):
        launch(recipe=recipe, owner=owner, fork=Fork(first, "grpo"))
    with pytest.raises(RecipeError, match="no stage 'curiculum'; did you mean 'curriculum'"):
        launch(recipe=recipe, owner=owner, fork=Fork(first, "curiculum"))
    made = Checkpoint.objects.get(attempt__stage_run=factories.run_of(first, "mul_tokens", "instruct"))
    shutil.rmtree(made.path)
    with pytest.raises(RecipeError, match="checkpoint of instruct of mul_tokens, seed 0 in smoke-1 is gone"):
        launch(recipe=recipe, owner=owner, fork=Fork(first, "curriculum"))


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user())
    return client


def test_published_numbers_cannot_be_forked_or_cloned(ada: Client) -> None:
    experiment = factories.make_experiment("history-1", imported=True)
    for url in (
        reverse("clone_experiment", args=[experiment.name]),
        reverse("fork_experiment", args=[experiment.name, "grpo"]),
    ):
        page = ada.get(url, follow=True).content.decode()
        assert "history-1 was imported: published counts without settings and checkpoints" in page
    assert "fork here" not in ada.get(reverse("experiment", args=[experiment.name])).content.decode()


@pytest.mark.slow
def test_the_form_says_what_is_reused_and_switches_it_off(
    ada: Client,
    finish: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = start()
    finish(first)
    run = factories.run_of(first, "baseline", "pretrain")
    url = reverse("clone_experiment", args=[first.name])
    assert 'hx-post="panel/"' in ada.get(url).content.decode()
    said = ada.post(f"{url}panel/", {"stages.grpo.beta": "0.5", "reuse": "true"}).content.decode()
    assert "<strong>6 of 8 runs</strong>" in said
    assert f"<b>pretrain</b>: finished on {run.finished_at.day} {run.finished_at:%B} in smoke-1" in said
    said = ada.post(f"{url}panel/", {"reuse": "false"}).content.decode()
    assert "all are computed" in said
    with monkeypatch.context() as later:  # runs of older code are named with what has changed since
        change = CodeChange("2998-01-31", "sums are rounded")
        later.setattr(GrpoSettings, "code_changes", (*GrpoSettings.code_changes, change))
        said = ada.post(f"{url}panel/", {"reuse": "true"}).content.decode()
        why = "in smoke-1, by older code: since 2998-01-31 sums are rounded"
        assert "<strong>6 of 8 runs</strong>" in said
        assert why in said.partition("Computed again, because code has changed")[2]
        for asked in ({"reuse": "false"}, {"reuse": "true", "stages.grpo.beta": "0.5"}):
            assert "Computed again" not in ada.post(f"{url}panel/", asked).content.decode()
        recipe = recipes.build(dict(first.recipe), [])
        plan.show(recipe, None, Namespace(no_reuse=False, device=None, json=False))
        assert re.search(
            f"^not reused grpo \\(2 runs\\): finished .* {why}$", capsys.readouterr().out, re.MULTILINE
        )
    said = ada.post(f"{url}panel/", {"stages.grpo.beta": "-1"}).content.decode()
    assert "stages.grpo.beta" in said
    assert Experiment.objects.count() == 1

    ada.post(url, {"stages.grpo.beta": "0.5", "reuse": "false"})
    assert states(Experiment.objects.get(name="smoke-2"))[0] == "ready"
    page = ada.post(url, {"stages.grpo.beta": "0.5", "reuse": "true"}, follow=True).content.decode()
    assert states(Experiment.objects.get(name="smoke-3")) == ["succeeded", "succeeded", "succeeded", "ready"]
    note = f'reused<span class="visually-hidden"> from smoke-1 / run {run.pk}</span>'
    assert f'<a href="{reverse("run", args=[run.pk])}">{note}</a>' in " ".join(page.split())
    assert "Clone of smoke-1" in page


def test_more_seeds_and_forks_come_filled_in(ada: Client, finish: Callable[..., None]) -> None:
    first = start(("seeds", [0, 1]), ("stages.grpo.beta", 0.25))
    finish(first)
    page = ada.get(reverse("clone_experiment", args=[first.name]) + "?seeds=more").content.decode()
    assert 'name="seeds" type="text" value="0, 1, 2, 3"' in page and 'value="0.25"' in page
    url = reverse("fork_experiment", args=[first.name, "grpo"])
    page = ada.get(url).content.decode()
    assert 'id="field-stages.grpo" open' in page and 'id="field-stages.instruct" >' in page
    page = ada.post(url, {"stages.instruct.batch_size": "8"}).content.decode()
    assert "Nothing was launched" in page and "stands above the fork" in page
    ada.post(url, {"stages.grpo.beta": "0.5"})
    second = Experiment.objects.get(name="smoke-2")
    assert states(second, "mul_tokens", 1) == ["succeeded", "succeeded", "succeeded", "ready"]
    run = factories.run_of(second, "baseline", "pretrain")
    page = ada.get(reverse("run", args=[run.pk])).content.decode()
    assert "Reused from <a" in " ".join(page.split())
    compared = ada.get(reverse("comparison", args=["smoke-2"])).content.decode()
    assert (
        f'<a href="{reverse("run", args=[run.reused_from_id])}" title="from {run.reused_note}">' in compared
    )
    assert f"pretrain of baseline, seed 0 from {run.reused_note}" in compared


def test_the_same_with_other_seeds_is_put_together_and_trains_nothing(
    ada: Client, finish: Callable[..., None]
) -> None:
    finish(start(("seeds", [0])))
    finish(start(("seeds", [2]), ("title", "Once more"), ("queue", "night")))
    start(("seeds", [5]), ("stages.grpo.beta", 0.5))
    start(("seeds", [0]))
    page = ada.get(reverse("experiment", args=["smoke-1"])).content.decode()
    named = page.partition('aria-label="The same with other seeds"')[2].partition("</ul>")[0]
    assert re.findall(r">(smoke-\d)</a> <span class=\"muted\">(seed [^<]*)<", named) == [
        ("smoke-2", "seed 2")
    ]
    url = re.search(r'href="([^"]*set=seeds=[^"]*)"', named)
    assert url is not None and url[1].endswith("?set=seeds=[0,2]")
    form = ada.get(url[1]).content.decode()
    assert 'name="seeds" type="text" value="0, 2"' in form
    said = ada.post(f"{url[1].partition('?')[0]}panel/", {"seeds": "0, 2", "reuse": "true"}).content.decode()
    assert "<strong>16 of 16 runs</strong>" in said
    assert "other seeds" not in ada.get(reverse("experiment", args=["smoke-3"])).content.decode()
