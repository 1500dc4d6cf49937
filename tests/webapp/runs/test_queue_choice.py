"""A launch chooses its queue: by recipe, form, YAML and command line; one that no worker serves is said beforehand."""

import json
import re

import pytest
from django.test import Client

from tests import factories
from training.recipes import recipe as recipes
from training.recipes.recipe import RecipeError
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.launch.planning import propose
from webapp.launch.reuse import Fork
from webapp.pages.overview.rows import overview
from webapp.runs.models import StageRun, State
from webapp.runs.queues import drain
from workers.cli.main import main

pytestmark = pytest.mark.django_db
SMOKE = "/experiments/new/smoke/"
UNSERVED = "No worker serves the queue gpu: its runs wait until one does. Start one with mulberry worker --queues gpu, or "
UNSERVED += "take a queue that workers serve: default."


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def smoke(queue: str = "default") -> recipes.Recipe:
    return recipes.build(recipes.read("smoke"), [("queue", queue)])


def text_of(client: Client, address: str) -> str:
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", client.get(address).content.decode()))


def queues_of(experiment: Experiment) -> set[str]:
    return set(experiment.runs.values_list("queue", flat=True))


@pytest.mark.parametrize("name", ["gpu", "gpu-1.x_2", "Größe", "a" * 100])
def test_a_queue_has_the_name_that_a_worker_may_take_from(name: str) -> None:
    assert smoke(name).queue == name


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "..", "a,b", "a" * 101])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(
        RecipeError, match=r"queue: .* is no name of a queue: use letters, digits, _, - and \."
    ):
        smoke(name)


def test_conditions_share_it() -> None:
    with pytest.raises(RecipeError, match="shared by all conditions"):
        recipes.build(recipes.read("smoke"), [("conditions.mul_tokens.overrides", {"queue": "gpu"})])


def test_it_is_no_part_of_what_a_run_computes() -> None:
    assert recipes.resolve(smoke("gpu")) == recipes.resolve(smoke())


def test_the_form_asks_for_it_and_a_launch_warns(ada: Client) -> None:
    factories.make_worker("cpu:0")
    page = ada.get(SMOKE).content.decode()
    assert 'name="queue" type="text" value="default"' in page
    assert "Queue that its runs wait in" in page
    assert "o worker serves" not in text_of(ada, SMOKE)
    panel = ada.post(f"{SMOKE}panel/", {"queue": "gpu"}).content.decode()
    assert UNSERVED in panel
    assert "no worker serves it" in panel
    launched = ada.post(SMOKE, {"queue": "gpu", "reuse": "false"}, follow=True)
    assert queues_of(Experiment.objects.get()) == {"gpu"}
    assert UNSERVED in launched.content.decode()
    assert "queue gpu" in launched.content.decode()


def test_a_wrong_name_stands_at_its_field(ada: Client) -> None:
    page = ada.post(SMOKE, {"queue": "a b"}).content.decode()
    assert "Nothing was launched." in page
    assert "is no name of a queue" in page
    assert not Experiment.objects.exists()


def test_the_yaml_has_it_where_it_is_another(ada: Client) -> None:
    assert "queue:" not in ada.get(f"{SMOKE}?as=yaml").content.decode()  # as every default
    assert "queue: gpu" in ada.get(f"{SMOKE}?as=yaml&set=queue=gpu").content.decode()


def test_clones_and_forks_keep_it(ada: Client) -> None:
    first = launch(recipe=smoke("gpu"), owner=factories.make_user(), reuse=False)
    for address in (f"/experiments/{first.name}/clone/", f"/experiments/{first.name}/fork/pretrain/"):
        assert 'name="queue" type="text" value="gpu"' in ada.get(address).content.decode()
    again = recipes.build(first.recipe)
    assert queues_of(launch(recipe=again, owner=factories.make_user(), fork=Fork(first, "pretrain"))) == {
        "gpu"
    }


def test_an_experiment_of_before_goes_to_the_default_queue() -> None:
    data = smoke().model_dump(mode="json")
    del data["queue"]
    assert recipes.build(data).queue == "default"


def test_the_plan_is_of_the_queues_own_workers() -> None:
    factories.make_worker("cpu:0", "cpu:1")
    factories.make_worker("cuda:0", queues=["gpu", "night"])
    launch(recipe=smoke("gpu"), owner=factories.make_user(), reuse=False)
    waiting = StageRun.objects.count()
    default, gpu = propose(smoke()).site, propose(smoke("gpu")).site
    assert (default.slots, default.waiting, default.has_gpu, default.unserved) == (2, 0, False, "")
    assert (gpu.slots, gpu.waiting, gpu.has_gpu, gpu.unserved) == (1, waiting, True, "")
    other = propose(smoke("other")).site
    assert other.slots == 0
    assert other.unserved.endswith("take a queue that workers serve: default, gpu, night.")


def test_without_any_worker_that_is_what_is_said(ada: Client) -> None:
    found = propose(smoke("gpu")).site
    assert (found.slots, found.unserved) == (0, "")
    assert "no worker answers" in ada.post(f"{SMOKE}panel/", {"queue": "gpu"}).content.decode()


def test_the_command_line_says_it_before_and_at_the_launch(capsys: pytest.CaptureFixture[str]) -> None:
    factories.make_worker("cpu:0")
    command = ["launch", "smoke", "--no-reuse", "--set", "queue=gpu"]
    assert main([*command, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^queue +gpu: no worker serves it; 0 stage runs go first$", shown, re.MULTILINE)
    assert f"WARNING: {UNSERVED}" in shown
    assert main([*command, "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["site"]["queue"] == "gpu"
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == f"mulberry: warning: {UNSERVED}\n"
    assert json.loads(said.out)["name"] == "smoke-1"
    assert queues_of(Experiment.objects.get()) == {"gpu"}
    assert main(["launch", "smoke", "--set", "queue=a b", "--dry-run"]) == 1
    assert capsys.readouterr().err.startswith("mulberry: queue: 'a b' is no name of a queue")


def test_the_overview_and_the_workers_page_say_what_waits_for_nobody(ada: Client) -> None:
    first = launch(recipe=smoke("gpu"), owner=factories.make_user(), reuse=False)
    ready = first.runs.filter(state=State.READY).count()
    said = f"{ready} runs wait on queue gpu, which no worker serves"
    assert said not in text_of(ada, "/")  # no worker answers at all: that is what is said
    factories.make_worker("cpu:0")
    assert said in text_of(ada, "/")
    page = text_of(ada, "/workers/")
    assert f"{said}. Start one with mulberry worker --queues gpu." in page
    assert "takes from default" in page
    serving = factories.make_worker("cuda:0", queues=["gpu"])
    assert said not in text_of(ada, "/")
    assert "takes from gpu" in text_of(ada, "/workers/")
    drain(worker=serving, by="ada")
    assert said not in text_of(ada, "/workers/")
    assert "No worker takes from this queue now, so these runs wait." in text_of(ada, "/workers/")
    assert not [one for one in overview(factories.make_user().pk).concerns if "serves" in one.what]
