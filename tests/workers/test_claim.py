"""A run is claimed once, in order, by whoever asks first."""

import threading
import time
from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from tests.factories import make_experiment
from webapp.experiments.models import Experiment
from webapp.runs import queues
from webapp.runs.models import Attempt, Event, QueueEvent, StageRun, State, Worker
from webapp.runs.querysets import in_line, in_queue_order, queued_before, takeable
from webapp.runs.queues import Move
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


def taken(worker: Worker) -> list[str]:
    """Claim everything that fits; the experiments' names as they were taken."""
    names = []
    while (claim := next_run("default", worker, DEVICE)) is not None:
        names.append(StageRun.objects.get(pk=claim.run).experiment.name)
    return names


def test_a_moved_experiment_is_taken_in_its_new_place(worker: Worker) -> None:
    made = {name: make_experiment(name, conditions=["baseline"]) for name in ("a-1", "b-1", "c-1", "d-1")}
    roots()
    queues.move(experiment=made["d-1"], queue="default", to=Move.FRONT, by="ada")  # d a b c
    queues.move(experiment=made["a-1"], queue="default", to=Move.DOWN, by="ada")  # d b a c
    queues.move(experiment=made["c-1"], queue="default", to=Move.UP, by="ada")  # d b c a
    make_experiment("new-1", conditions=["baseline"])  # behind all of them
    expected = ["d-1", "b-1", "c-1", "a-1", "new-1"]
    ready = in_queue_order(takeable().filter(queue="default"))
    assert list(ready.values_list("experiment__name", flat=True)) == expected
    assert [one.name for one in in_line("default")] == expected
    before = {run.experiment.name: queued_before(run) for run in StageRun.objects.filter(state="ready")}
    assert before == {name: place for place, name in enumerate(expected)}
    assert taken(worker) == expected


def test_what_cannot_be_moved_is_refused(worker: Worker) -> None:
    first, last = make_experiment("a-1", stages=[("pretrain", "pretrain")]), make_experiment("b-1")
    for experiment, to, says in (
        (first, Move.UP, "first already"),
        (first, Move.FRONT, "first already"),
        (last, Move.DOWN, "last already"),
    ):
        with pytest.raises(ValueError, match=says):
            queues.move(experiment=experiment, queue="default", to=to, by="ada")
    StageRun.objects.filter(experiment=first).update(state=State.RUNNING)
    with pytest.raises(ValueError, match="nothing to move"):
        queues.move(experiment=first, queue="default", to=Move.DOWN, by="ada")
    assert not QueueEvent.objects.exists()


def test_nothing_is_taken_from_a_paused_queue_and_what_runs_goes_on(worker: Worker) -> None:
    make_experiment()
    roots()
    running = next_run("default", worker, DEVICE)
    assert running is not None
    queues.pause(queue="default", by="ada")
    assert next_run("default", worker, DEVICE) is None
    run = StageRun.objects.get(pk=running.run)
    assert (run.state, run.cancel_requested_at) == (State.RUNNING, None)
    with pytest.raises(ValueError, match="paused already"):
        queues.pause(queue="default", by="bob")
    queues.resume(queue="default", by="bob")
    assert next_run("default", worker, DEVICE) is not None
    said = QueueEvent.objects.values_list("by", "text")
    assert list(said) == [("ada", "paused"), ("bob", "resumed")]


def test_a_pause_is_of_one_queue(worker: Worker) -> None:
    make_experiment()
    roots()
    Worker.objects.filter(pk=worker.pk).update(queues=["default", "gpu"])
    queues.pause(queue="gpu", by="ada")
    assert next_run("default", worker, DEVICE) is not None
    with pytest.raises(ValueError, match="there is no queue 'defualt'; did you mean 'default'"):
        queues.pause(queue="defualt", by="ada")


def test_a_drained_worker_takes_nothing_and_another_does(worker: Worker) -> None:
    make_experiment()
    roots()
    other = Worker.objects.create(name="x@h", hostname="h", boot_id="b", pid=2, process_started=1.0)
    queues.drain(worker=worker, by="ada")
    assert next_run("default", worker, DEVICE) is None
    assert next_run("default", other, DEVICE) is not None
    queues.undrain(worker=worker, by="ada")
    assert next_run("default", worker, DEVICE) is not None


def ended(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(timeout=100)
        assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["pause", "drain"])
def test_a_pause_waits_for_claims_under_way_and_then_nothing_starts(
    transactional_db: None, what: str
) -> None:
    worker = Worker.objects.create(
        name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0, queues=["default"]
    )
    make_experiment()
    roots()
    done = threading.Event()
    late: list[Claim | None] = []

    def stop() -> None:
        if what == "pause":
            queues.pause(queue="default", by="ada")
        else:
            queues.drain(worker=worker, by="ada")
        done.set()
        connection.close()

    def claim_late() -> None:
        late.append(next_run("default", worker, DEVICE))
        connection.close()

    with transaction.atomic():
        assert next_run("default", worker, DEVICE) is not None  # not committed yet
        stopper = threading.Thread(target=stop)
        stopper.start()
        wait_for_a_waiter(1)
        later = threading.Thread(target=claim_late)
        later.start()
        wait_for_a_waiter(2)
        assert not done.is_set()
    ended(stopper, later)
    assert late == [None]
    assert StageRun.objects.filter(state=State.RUNNING).count() == 1


def wait_for_a_waiter(count: int) -> None:
    """Until so many sessions stand in line for a lock."""
    query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone()[0] == count:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_after_a_pause_returns_nothing_is_claimed_however_many_try(transactional_db: None) -> None:
    worker = Worker.objects.create(name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0)
    for n in range(20):
        make_experiment(f"many-{n}", stages=[("pretrain", "pretrain")])
    roots()
    stop = threading.Event()

    def claimer() -> None:
        while not stop.is_set():
            next_run("default", worker, DEVICE)
        connection.close()

    threads = [threading.Thread(target=claimer) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        while not Attempt.objects.count():
            time.sleep(0.001)
        queues.pause(queue="default", by="ada")
        taken_by_then = Attempt.objects.count()
        time.sleep(0.3)
        assert Attempt.objects.count() == taken_by_then
        queues.resume(queue="default", by="ada")
    finally:
        stop.set()
        ended(*threads)


@pytest.mark.django_db(transaction=True)
def test_two_who_move_at_once_never_share_a_place(transactional_db: None) -> None:
    made = [make_experiment(f"many-{n}", conditions=["baseline"]) for n in range(6)]

    def mover(own: Experiment) -> None:
        for _ in range(5):
            with suppress(ValueError):  # it is the first already
                queues.move(experiment=own, queue="default", to=Move.FRONT, by="ada")
        connection.close()

    threads = [threading.Thread(target=mover, args=[one]) for one in made[3:]]
    for thread in threads:
        thread.start()
    ended(*threads)
    places = [one.place for one in in_line("default")]
    assert sorted(places) == sorted(one.pk for one in made)
