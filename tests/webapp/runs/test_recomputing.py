"""A checkpoint that is gone or damaged is noticed before it is used, and its run is computed again though it succeeded."""

import shutil
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from tests import factories
from training.recipes import recipe as recipes
from webapp.launch.launch import launch
from webapp.runs.models import Attempt, Checkpoint, Event, StageRun, State, Worker
from webapp.runs.recomputing import lost, recompute, seems_lost
from workers.claim import next_run
from workers.cli.main import main
from workers.devices import Device
from workers.run_spec import of_claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(tmp_path: Path) -> list[StageRun]:
    """The runs of an experiment's baseline, a stage each: the first is finished and left a checkpoint."""
    built = recipes.build(recipes.read("demo"))
    built = built.model_copy(update={"conditions": built.conditions[:1]})
    experiment = launch(recipe=built, owner=factories.make_user("ada"), reuse=False)
    runs = list(StageRun.objects.filter(experiment=experiment).order_by("stage__position"))
    factories.finish(runs[0], tmp_path)
    return runs


def weights(run: StageRun) -> Path:
    return Path(Checkpoint.objects.get(attempt__stage_run=run, final=True).path) / "model.safetensors"


def turn_a_bit(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[3] ^= 1
    path.write_bytes(whole)


def states(runs: list[StageRun]) -> list[str]:
    for run in runs:
        run.refresh_from_db()
    return [run.state for run in runs]


def test_training_is_told_which_checkpoint_was_recorded(
    chain: list[StageRun], settings: LazySettings
) -> None:
    worker = Worker.objects.create(name="w", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"])  # fmt: skip
    claim = next_run("default", worker, Device("cpu:0", "cpu", 1))
    assert claim is not None and claim.run == chain[1].pk
    told = of_claim(claim, Device("cpu:0", "cpu", 1), Path("/storage"))
    saved = Checkpoint.objects.get(attempt__stage_run=chain[0])
    assert (told.parent_checkpoint, told.parent_manifest) == (saved.path, saved.manifest_sha256)
    assert (told.key, told.recorded) == (chain[1].key, [])
    assert chain[1].key != chain[0].key and len(chain[1].key) == 32


def test_a_run_is_computed_again_where_its_checkpoint_is_damaged(
    chain: list[StageRun], tmp_path: Path
) -> None:
    assert states(chain)[:3] == ["succeeded", "ready", "waiting"]
    with pytest.raises(ValueError, match="is whole"):
        recompute(run=chain[0], by="ada")
    turn_a_bit(weights(chain[0]))
    assert lost(chain[0]).endswith("is damaged.")
    recompute(run=chain[0], by="ada")
    assert states(chain)[:3] == ["ready", "waiting", "waiting"], "what starts from it waits"
    assert "computed again by ada" in Event.objects.filter(stage_run=chain[0]).latest("pk").text
    factories.finish(chain[0], tmp_path)
    assert states(chain)[:3] == ["succeeded", "ready", "waiting"]
    assert lost(chain[0]) == ""
    assert Attempt.objects.filter(stage_run=chain[0]).count() == 2, "the earlier attempt stays"


def test_what_failed_for_want_of_it_goes_on(chain: list[StageRun], client: Client) -> None:
    shutil.rmtree(weights(chain[0]).parent)
    attempt = factories.make_attempt(chain[1], state=State.RUNNING)
    from webapp.runs import lifecycle

    error = f"the parent checkpoint {weights(chain[0]).parent} is gone"
    assert lifecycle.move(chain[1].pk, State.RUNNING, State.FAILED, attempt=attempt.number, error=error)
    assert states(chain)[:3] == ["succeeded", "failed", "cancelled"]
    client.force_login(factories.make_user("ada"))
    page = client.get(reverse("run", args=[chain[0].pk])).content.decode()
    assert "gone or damaged" in page and ">Recompute</button>" in page
    client.post(reverse("retry_run", args=[chain[0].pk]))
    assert states(chain) == ["ready", *["waiting"] * (len(chain) - 1)]
    assert "gone or damaged" not in client.get(reverse("run", args=[chain[0].pk])).content.decode()


def test_it_is_a_command_too(chain: list[StageRun], capsys: pytest.CaptureFixture[str]) -> None:
    name = chain[0].experiment.name
    assert main(["retry", name, "--recompute"]) == 1
    assert "--run N" in capsys.readouterr().err
    assert main(["retry", name, "--run", str(chain[0].pk), "--recompute"]) == 1
    assert "is whole" in capsys.readouterr().err
    turn_a_bit(weights(chain[0]))
    assert main(["retry", name, "--run", str(chain[0].pk), "--recompute"]) == 0
    assert states(chain)[0] == "ready"


def test_a_run_that_took_its_result_over_names_the_one_to_compute_again(
    chain: list[StageRun], tmp_path: Path
) -> None:
    built = recipes.build(recipes.read("demo"))
    built = built.model_copy(update={"conditions": built.conditions[:1]})
    other = launch(recipe=built, owner=factories.make_user("ada"))
    taken = StageRun.objects.get(experiment=other, parent=None)
    assert taken.reused_from_id == chain[0].pk
    turn_a_bit(weights(chain[0]))
    assert not seems_lost(taken), "the same number of bytes: only reading tells"
    with pytest.raises(ValueError, match=f"from run {chain[0].pk}"):
        recompute(run=taken, by="ada")
    recompute(run=chain[0], by="ada")
    factories.finish(chain[0], tmp_path)
    child = StageRun.objects.get(experiment=other, parent=taken)
    StageRun.objects.exclude(pk=child.pk).filter(state=State.READY).update(state=State.WAITING)
    worker = Worker.objects.create(name="w", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"])  # fmt: skip
    claim = next_run("default", worker, Device("cpu:0", "cpu", 1))
    assert claim is not None and claim.run == child.pk
    newest = Checkpoint.objects.filter(attempt__stage_run=chain[0], final=True).latest("pk")
    assert of_claim(claim, Device("cpu:0", "cpu", 1), Path("/s")).parent_manifest == newest.manifest_sha256


def test_the_page_says_warnings_and_which_steps_were_computed_twice(client: Client) -> None:
    client.force_login(factories.make_user("ada"))
    run = factories.run_of(factories.make_experiment(), "baseline", "grpo")
    first = factories.make_attempt(run)
    factories.add_metrics(first, {"loss": [1.0] * 10})
    second = factories.make_attempt(run, first_step=6)
    factories.add_log(second, "the checkpoint /s/step-00000008 was passed over: it is damaged", "warning")
    page = client.get(reverse("run_records", args=[run.pk])).content.decode()
    assert "steps 7 to 10 were computed again by attempt 2, whose records count" in page
    assert "/s/step-00000008 was passed over: it is damaged" in page
