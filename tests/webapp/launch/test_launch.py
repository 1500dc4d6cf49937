"""Launching makes the rows that workers take, once, under a name of their own."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from training.recipes import recipe as recipes
from training.recipes.recipe import StageSpec
from webapp.celery import ANNOUNCER, app
from webapp.launch.launch import launch
from webapp.runs.models import Event, StageRun

pytestmark = pytest.mark.services


@pytest.fixture
def recipe() -> recipes.Recipe:
    return recipes.build(recipes.read("demo"), [("seeds", [0, 1])])


@pytest.mark.django_db
def test_one_run_for_each_condition_seed_and_stage(recipe: recipes.Recipe) -> None:
    experiment = launch(recipe=recipe, owner=User.objects.create(username="ada"))
    assert experiment.name == "demo-1"
    runs = StageRun.objects.filter(experiment=experiment)
    assert runs.count() == 2 * 2 * len(recipe.stages)
    for run in runs.select_related("stage", "condition", "parent"):
        spec = StageSpec.model_validate(run.spec)
        assert (spec.condition, spec.stage, spec.seed) == (run.condition.name, run.stage.name, run.seed)
        assert spec.mul_tokens.inject == (run.condition.name == "mul_tokens")
        if run.parent is None:
            assert (run.state, spec.parent) == ("ready", None)
            assert run.ready_at is not None
        else:
            assert run.state == "waiting"
            assert (run.parent.condition_id, run.parent.seed) == (run.condition_id, run.seed)
            assert run.parent.stage_id == run.stage.after_id
            assert run.parent.stage.name == spec.parent
    assert Event.objects.filter(stage_run__experiment=experiment, from_state="").count() == runs.count()
    assert experiment.code_version


@pytest.mark.django_db(transaction=True)
def test_simultaneous_launches_get_numbers_of_their_own(recipe: recipes.Recipe) -> None:
    owner = User.objects.create(username="ada")
    names: list[str] = []

    def one() -> None:
        names.append(launch(recipe=recipe, owner=owner).name)
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == ["demo-1", "demo-2", "demo-3", "demo-4"]


@pytest.mark.django_db(transaction=True)
def test_the_roots_are_announced_on_commit(recipe: recipes.Recipe) -> None:
    with app.connection_for_read() as broker:
        queue = broker.SimpleQueue("default")
        ANNOUNCER.finish(60)  # of other tests
        queue.clear()
        launch(recipe=recipe, owner=User.objects.create(username="ada"))
        messages = [queue.get(timeout=5) for _ in range(4)]
        for message in messages:
            assert message.headers["task"] == "workers.tasks.run_next"
            message.ack()
        assert queue.qsize() == 0
        queue.close()
