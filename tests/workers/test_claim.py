"""A run is claimed once, in order, by whoever asks first."""

import threading

import pytest
from django.db import connection
from django.db.models.functions import Now

from tests.factories import make_experiment
from webapp.runs.models import Attempt, Event, StageRun, State, Worker
from workers.claim import LEASE, Claim, next_run
from workers.devices import Device

pytestmark = pytest.mark.services

DEVICE = Device("cpu:0", "cpu", 1)


@pytest.fixture
def worker(db: None) -> Worker:
    return Worker.objects.create(
        name="w@h",
        hostname="h",
        boot_id="b",
        pid=1,
        process_started=1.0,
        queues=["default"],
        devices=["cpu:0"],
    )


def roots() -> list[StageRun]:
    runs = StageRun.objects.filter(parent=None).order_by("pk")
    runs.update(ready_at=Now())
    return list(runs)


def test_a_claim_holds_the_run_with_a_new_attempt(worker: Worker) -> None:
    make_experiment(conditions=["baseline"])
    (run,) = roots()
    claim = next_run("default", worker, DEVICE)
    assert claim is not None
    assert (claim.run, claim.experiment, claim.number, claim.parent) == (run.pk, run.experiment_id, 1, None)
    assert claim.spec == run.spec
    run.refresh_from_db()
    assert run.state == State.RUNNING
    assert run.lease_until is not None
    assert run.started_at is not None
    assert run.lease_until - run.started_at == LEASE
    attempt = Attempt.objects.get(pk=claim.attempt)
    assert (attempt.stage_run_id, attempt.number, attempt.worker_id, attempt.device) == (
        run.pk, 1, worker.pk, "cpu:0",
    )  # fmt: skip
    event = Event.objects.get(stage_run=run)
    assert (event.from_state, event.to_state, event.attempt_number) == ("ready", "running", 1)
    assert next_run("default", worker, DEVICE) is None


def test_conditions_go_side_by_side_and_older_experiments_first(worker: Worker) -> None:
    old = make_experiment("old-1")
    make_experiment("new-1")
    roots()
    first, second = next_run("default", worker, DEVICE), next_run("default", worker, DEVICE)
    assert first is not None
    assert second is not None
    taken = StageRun.objects.filter(pk__in=[first.run, second.run])
    assert {run.condition.name for run in taken} == {"baseline", "mul_tokens"}
    assert {run.experiment_id for run in taken} == {old.pk}


def test_other_queues_and_back_off_are_left_alone(worker: Worker) -> None:
    make_experiment(conditions=["baseline"])
    (run,) = roots()
    assert next_run("gpu", worker, DEVICE) is None
    StageRun.objects.filter(pk=run.pk).update(not_before=Now() + LEASE)
    assert next_run("default", worker, DEVICE) is None
    StageRun.objects.filter(pk=run.pk).update(not_before=Now() - LEASE)
    assert next_run("default", worker, DEVICE) is not None


@pytest.mark.django_db(transaction=True)
def test_many_claimers_never_share_a_run(transactional_db: None) -> None:
    worker = Worker.objects.create(name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0)
    for n in range(5):
        make_experiment(f"many-{n}")
    assert len(roots()) == 10
    claims: list[Claim] = []

    def claimer() -> None:
        while (claim := next_run("default", worker, DEVICE)) is not None:
            claims.append(claim)
        connection.close()

    threads = [threading.Thread(target=claimer) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claim.run for claim in claims) == [
        run.pk for run in StageRun.objects.filter(parent=None).order_by("pk")
    ]
    assert Attempt.objects.count() == 10
