"""Pages of experiments: the list, launching from a form, the grid."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests import factories, histories
from webapp.experiments.models import Experiment
from webapp.pages.experiments import querysets
from webapp.runs import lifecycle
from webapp.runs.models import StageRun, State
from webapp.runs.queues import pause

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def test_an_empty_list_says_what_to_do(ada: Client) -> None:
    page = ada.get("/experiments/").content.decode()
    assert "No experiments yet" in page
    assert "/experiments/new/" in page


def test_the_list_shows_state_runs_and_accuracy(ada: Client) -> None:
    histories.make_history("demo-1", done=4)
    page = ada.get("/experiments/").content.decode()
    assert "8 of 12" in page
    assert "state-running" in page
    assert "words" in page, "the furthest stage with a result"


def test_the_list_is_a_fragment_for_htmx(ada: Client) -> None:
    assert "<html" not in ada.get("/experiments/", headers={"HX-Request": "true"}).content.decode()


def test_the_queries_of_the_list_do_not_grow_with_it(ada: Client) -> None:
    def queries() -> int:
        while "Reading the answers" in ada.get("/experiments/").content.decode():
            pass  # once; then they are kept
        with CaptureQueriesContext(connection) as asked:
            ada.get("/experiments/")
        return len(asked)

    def add(number: int, seeds: Sequence[int]) -> None:
        experiment = factories.make_experiment(
            f"demo-{number}", seeds=seeds, primary_metric=f"benchmark_{number}"
        )
        for run in experiment.runs.all():
            attempt = factories.make_attempt(run, state=State.SUCCEEDED)
            factories.add_evaluation(attempt, [True, False], benchmark=experiment.primary_metric)

    add(1, seeds=[0])
    one = queries()
    for number in range(2, 6):
        add(number, seeds=[0, 1])
    assert queries() == one <= 15


def test_the_gallery_shows_every_recipe(ada: Client) -> None:
    page = ada.get("/experiments/new/").content.decode()
    assert all(f"/experiments/new/{name}/" in page for name in ("demo", "smoke", "report_in_miniature"))


def test_a_recipe_without_its_data_comes_last_and_says_so(ada: Client, settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings.MULBERRY_DATA = tmp_path
    page = ada.get("/experiments/new/").content.decode()
    assert page.index("/experiments/new/gsm8k_tiny/") > page.index("/experiments/new/demo/")
    line = page.split('id="recipe-gsm8k_tiny"')[1].split("</details>")[0]
    assert line.count("Cannot run here yet: there is no") == 3  # training and test problems, vocabulary
    assert "needs data: gpt2, gsm8k" in line and "<code>mulberry data fetch gpt2 gsm8k</code>" in line
    for name in ("gsm8k", "gpt2"):
        assert f"get it by `mulberry data fetch {name}`" in page


def test_launching_freezes_the_changed_setting(ada: Client) -> None:
    answer = ada.post("/experiments/new/smoke/", {"stages.grpo.temperature": "0.8"})
    assert answer.headers["Location"] == "/experiments/smoke-1/"
    experiment = Experiment.objects.get(name="smoke-1")
    assert experiment.owner.username == "ada"
    assert experiment.recipe["stages"][-1]["temperature"] == 0.8


def test_the_page_says_first_in_what_its_conditions_differ(ada: Client) -> None:
    ada.post("/experiments/new/smoke/")
    page = ada.get("/experiments/smoke-1/").content.decode()
    assert page.index("Differs in") < page.index("Runs done")
    assert re.search(r"<code>mul_tokens\.inject</code>: false → <b>true</b>", page)


def test_a_run_that_began_is_said_to_have_started(ada: Client) -> None:
    histories.make_history("demo-1", done=4)
    log = ada.get("/experiments/demo-1/").content.decode().split('id="events"')[1]
    assert ">started<" in log and ">running<" not in log


def test_a_recipe_is_launched_at_another_size(ada: Client, settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    settings.MULBERRY_DATA = tmp_path
    gallery = ada.get("/experiments/new/").content.decode()
    assert "Cannot run here at full size yet: there are no parquet" in gallery
    answer = ada.post("/experiments/new/hypothesis_e_memory/", {"scale": "tiny"})
    assert answer.headers["Location"] == "/experiments/hypothesis_e_memory-1/"
    recipe = Experiment.objects.get(name="hypothesis_e_memory-1").recipe
    assert (recipe["scale"], recipe["model"]["n_layer"]) == ("tiny", 2)
    assert 'name="scale"' in ada.get("/experiments/new/hypothesis_e_memory/").content.decode()
    assert 'name="scale"' not in ada.get("/experiments/new/smoke/").content.decode()


def test_a_mistake_queues_nothing_and_keeps_what_was_entered(ada: Client) -> None:
    answer = ada.post("/experiments/new/smoke/", {"stages.grpo.prompts": "0", "title": "Mine"})
    page = answer.content.decode()
    assert "at least 1" in page
    assert 'value="Mine"' in page
    assert 'aria-invalid="true"' in page
    assert not Experiment.objects.exists()
    assert not StageRun.objects.exists()


def test_a_folder_without_gsm8k_is_said_before_anything_is_queued(
    ada: Client, settings, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    settings.MULBERRY_DATA = tmp_path
    answer = ada.post("/experiments/new/gsm8k_tiny/", {})
    assert "set MULBERRY_DATA" in answer.content.decode()
    assert not Experiment.objects.exists()


def test_an_unknown_recipe_names_the_nearest(ada: Client) -> None:
    answer = ada.get("/experiments/new/smok/")
    assert answer.status_code == 404
    assert "smoke" in answer.content.decode()


def test_only_shipped_recipes_are_read(ada: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("title: what lies on the server")
    monkeypatch.chdir(tmp_path)
    assert ada.get("/experiments/new/mine.yaml/").status_code == 404


def test_the_page_shows_every_run_with_state_and_accuracy(ada: Client) -> None:
    experiment = factories.make_experiment()
    run = factories.run_of(experiment, "baseline", "pretrain")
    attempt = factories.make_attempt(run, state=State.SUCCEEDED)
    factories.add_evaluation(attempt, [True, True, True, False])
    page = ada.get("/experiments/demo-1/").content.decode()
    assert page.count('class="box"') == 12
    assert "75.0 %" in page
    assert "3/4" in page


def test_a_failed_run_says_why_in_the_grid(ada: Client) -> None:
    experiment = histories.make_history("demo-1", done=1)
    StageRun.objects.filter(state=State.RUNNING).update(state=State.FAILED, error="out of memory; take less")
    assert "out of memory; take less" in ada.get("/experiments/demo-1/state/").content.decode()
    assert experiment.runs.filter(state=State.FAILED).count() == 2


def test_cancel_and_retry_move_the_runs(ada: Client) -> None:
    experiment = factories.make_experiment()
    ada.post("/experiments/demo-1/cancel/")
    assert set(experiment.runs.values_list("state", flat=True)) == {State.CANCELLED}
    ada.post("/experiments/demo-1/retry/")
    assert experiment.runs.filter(state=State.READY).count() == 2


def test_an_experiment_is_cancelling_until_its_worker_has_ended_what_runs(ada: Client) -> None:
    experiment = factories.make_experiment()
    run = factories.make_run("pretrain", experiment=experiment, condition="baseline")
    factories.add_checkpoint(run.attempts.get(), final=False)
    asked = ada.get("/experiments/demo-1/cancel/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in asked
    for said in ("1 running", "1 queued", "10 waiting", "1 checkpoint,", "Cancel 12 runs"):
        assert said in asked
    page = ada.post("/experiments/demo-1/cancel/", follow=True).content.decode()
    assert "Cancelling 1 run: it ends within seconds" in page and "11 runs will not start" in page
    assert page.count("state-cancelling") == 2 and "<dt>Finishes</dt>" not in page  # the whole, and its run
    assert "state-cancelling" in ada.get("/experiments/").content.decode()
    assert "being cancelled already" in ada.get("/experiments/demo-1/cancel/").content.decode()
    assert lifecycle.move(run.pk, State.RUNNING, State.CANCELLED)
    assert "state-cancelling" not in ada.get("/experiments/demo-1/").content.decode()


def test_what_was_cancelled_in_the_queue_is_offered_again(ada: Client) -> None:
    experiment = factories.make_experiment()
    page = ada.post("/experiments/demo-1/cancel/", follow=True).content.decode()
    assert "12 runs cancelled before they started" in page
    assert page.count('action="/experiments/demo-1/retry/"') == 2  # in the message, and among the actions
    ada.post("/experiments/demo-1/retry/")
    assert experiment.runs.filter(state=State.READY).count() == 2


def test_a_run_took_what_its_attempts_took_and_not_what_it_waited() -> None:
    experiment = factories.make_experiment(
        "demo-1", conditions=["baseline"], stages=[("pretrain", "pretrain")]
    )
    run, now = experiment.runs.get(), timezone.now()
    times = {"started_at": now - timedelta(minutes=9), "ended_at": now - timedelta(minutes=8)}
    factories.make_attempt(run, state=State.CANCELLED, **times)
    factories.make_attempt(run, started_at=now - timedelta(seconds=30))
    StageRun.objects.update(started_at=now - timedelta(minutes=9))
    assert querysets.grid(experiment).boxes[0].seconds == pytest.approx(90, abs=5)


def test_the_grid_says_how_far_each_run_and_their_mean_are_from_the_baseline(ada: Client) -> None:
    experiment = factories.make_experiment("demo-1", stages=(("mixed", "sft"),), seeds=(0, 1))
    rights = {("baseline", 0): 10, ("baseline", 1): 20, ("mul_tokens", 0): 15, ("mul_tokens", 1): 18}
    for (condition, seed), right in rights.items():
        attempt = factories.make_attempt(
            factories.run_of(experiment, condition, "mixed", seed), state=State.SUCCEEDED
        )
        factories.add_evaluation(attempt, [i < right for i in range(50)])
    first, second = querysets.grid(experiment).rows[0].cells
    assert [box.difference for box in first.boxes] == ["", ""]
    assert [box.difference for box in second.boxes] == ["+10.0", "−4.0"]
    assert (first.mean, first.mean_difference) == ("30.0 %", "")
    assert (second.mean, second.mean_difference) == ("33.0 %", "+3.0")
    page = ada.get("/experiments/demo-1/").content.decode()
    assert re.search(r"difference from the baseline\s*</span>−4\.0", page)


def test_a_paused_queue_promises_no_time(ada: Client) -> None:
    experiment = histories.make_history("demo-1", done=3)
    running = experiment.runs.exclude(state=State.SUCCEEDED).first()
    assert running is not None
    factories.make_attempt(running)
    experiment.runs.update(planned_steps=100)
    page = ada.get("/experiments/demo-1/").content.decode()
    assert re.search(r"<dt>Finishes</dt>\s*<dd>\s*in ", page)
    pause(queue="default", by="ada")
    page = ada.get("/experiments/demo-1/").content.decode()
    assert "of work left, once it goes on" in page


def test_cancelling_what_is_over_says_so(ada: Client) -> None:
    factories.make_experiment()
    ada.post("/experiments/demo-1/cancel/")
    page = ada.post("/experiments/demo-1/cancel/", follow=True).content.decode()
    assert "nothing to cancel" in page


def test_a_text_may_hold_what_the_database_cannot(ada: Client) -> None:
    ada.post("/experiments/new/smoke/", {"question": "Does it\x00 help?"})
    assert Experiment.objects.get().question == "Does it help?"


def test_text_of_people_is_escaped(ada: Client) -> None:
    factories.make_experiment(title="<script>alert(1)</script>")
    page = ada.get("/experiments/").content.decode() + ada.get("/experiments/demo-1/").content.decode()
    assert "<script>alert" not in page


def test_the_policy_allows_no_inline_script(ada: Client) -> None:
    policy = ada.get("/experiments/").headers["Content-Security-Policy"]
    scripts = next(part for part in policy.split(";") if part.strip().startswith("script-src"))
    assert "unsafe" not in scripts
    assert "nonce-" in scripts
