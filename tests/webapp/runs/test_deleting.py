"""An experiment that is deleted leaves nothing behind, and takes nothing from others."""

from pathlib import Path

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests import factories, histories
from training.process import checkpoints
from training.process.run_folders import OWNER, folder_name
from training.recipes import recipe as recipes
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from webapp.runs.deleting import delete, planned
from webapp.runs.models import Attempt, Checkpoint, QueueEvent, StageRun
from workers.cli.main import main

pytestmark = pytest.mark.django_db

# rows that are of no experiment
OF_NONE = {"Worker", "WorkerLog", "Queue", "QueueEvent", "MeasuredSpeeds", "Mark", "SavedView"}


@pytest.fixture
def storage(settings: LazySettings, tmp_path: Path) -> Path:
    settings.MULBERRY_HOME = tmp_path
    settings.MULBERRY_STORAGE = str(tmp_path / "storage")
    return tmp_path / "storage"


@pytest.fixture
def two(storage: Path) -> tuple[Experiment, Experiment]:
    """A finished experiment of one condition and a stage, with files, and one that took its result over."""
    built = recipes.build(recipes.read("smoke"))
    built = built.model_copy(update={"conditions": built.conditions[:1], "stages": built.stages[:1]})
    first = launch(recipe=built, owner=factories.make_user("ada"))
    run = first.runs.get()
    factories.finish(run, storage)
    name = folder_name(run.pk, run.key)
    with checkpoints.write(storage / name, checkpoints.step_name(5), step=5) as made:
        (made / "optimizer.pt").write_bytes(b"0" * 1000)
    attempt_folder = storage.parent / "runs" / name / "attempt-1"
    attempt_folder.mkdir(parents=True)
    (attempt_folder / "journal").write_bytes(b"0" * 500)
    Attempt.objects.filter(stage_run=run).update(run_dir=str(attempt_folder), hostname="here")
    return first, launch(recipe=built, owner=factories.make_user("ada"))


def test_no_row_of_it_is_left_in_any_table(storage: Path) -> None:
    histories.make_every_page()
    StageRun.objects.update(state="succeeded")
    for one in Experiment.objects.all():
        delete(experiment=one, by="ada")
    ours = [
        model
        for app in apps.get_app_configs()
        if app.name.startswith("webapp.")
        for model in app.get_models()
    ]
    of_experiments = [
        model for model in ours if model.__name__ not in OF_NONE and model._meta.app_label != "accounts"
    ]
    assert len(of_experiments) > 20
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert {
        model.__name__: model._base_manager.count()
        for model in of_experiments
        if model._base_manager.exists()
    } == {}
    assert QueueEvent.objects.latest("pk").text.startswith("deleted the experiment ")


def test_what_another_took_over_stays_and_the_rest_is_free(
    two: tuple[Experiment, Experiment], storage: Path
) -> None:
    first, second = two
    plan = planned(first)
    name = folder_name(first.runs.get().pk, first.runs.get().key)
    assert sorted(str(path.relative_to(storage.parent)) for path in plan.removed) == [
        f"runs/{name}",
        f"storage/{name}/step-00000005",
    ]
    assert plan.bytes > 1500 and (plan.kept, plan.kept_for) == ([storage / name / "final"], [second.name])
    delete(experiment=first, by="ada")
    assert not (storage.parent / "runs" / name).exists()
    assert [path.name for path in (storage / name).iterdir()] == ["final"]
    run = second.runs.get()
    saved = Checkpoint.objects.get(attempt__stage_run=run)
    assert checkpoints.read(Path(saved.path)) is not None
    assert run.reused_from is None and run.reused_note.startswith(first.name), (
        "its page says where it came from"
    )
    delete(experiment=second, by="ada")
    assert (storage / name).is_dir(), (
        "the folder of a run that is gone: nobody's any more, and not the second's"
    )


def test_it_is_refused_while_something_is_not_over(two: tuple[Experiment, Experiment]) -> None:
    StageRun.objects.filter(experiment=two[0]).update(state="running")
    with pytest.raises(ValueError, match="cancel it, then delete it"):
        delete(experiment=two[0], by="ada")
    assert planned(two[0]).under_way == 1


def test_a_folder_of_another_run_is_not_touched(two: tuple[Experiment, Experiment], storage: Path) -> None:
    run = two[0].runs.get()
    (storage / folder_name(run.pk, run.key) / OWNER).write_text("another's")
    assert all("storage" not in str(path) for path in planned(two[0]).removed)


def test_its_owner_deletes_it_from_its_page_and_nobody_else(
    two: tuple[Experiment, Experiment], client: Client
) -> None:
    name = two[0].name
    address = reverse("delete_experiment", args=[name])
    client.force_login(factories.make_user("eve"))
    assert "Delete …" not in client.get(reverse("experiment", args=[name])).content.decode()
    assert "they, or an operator, can delete it" in client.post(address, follow=True).content.decode()
    client.force_login(factories.make_user("ada"))
    assert "Delete …" in client.get(reverse("experiment", args=[name])).content.decode()
    asked = client.get(address).content.decode()
    assert "This cannot be undone." in asked and two[1].name in asked
    assert Experiment.objects.filter(name=name).exists(), "asking changes nothing"
    done = client.post(address, follow=True).content.decode()
    assert f"{name} is deleted" in done and not Experiment.objects.filter(name=name).exists()


def test_the_command_says_what_it_frees_and_does_it_when_told(
    two: tuple[Experiment, Experiment], capsys: pytest.CaptureFixture[str]
) -> None:
    name = two[0].name
    assert main(["delete", name]) == 0
    said = capsys.readouterr().out
    assert f"1 checkpoints stay for {two[1].name}" in said and "nothing is deleted yet" in said
    assert Experiment.objects.filter(name=name).exists()
    assert main(["delete", name, "--user", "ada", "--yes"]) == 0
    assert f"{name}: deleted" in capsys.readouterr().out
    assert not Experiment.objects.filter(name=name).exists()
