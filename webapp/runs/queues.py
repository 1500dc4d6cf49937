"""What a person may do to a queue and to a worker: pause, move an experiment, drain; each is recorded."""

from enum import StrEnum
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from training.did_you_mean import nearest
from webapp.celery import announce
from webapp.experiments.models import Experiment
from webapp.runs import lifecycle, queue_lock
from webapp.runs.models import Queue, QueueEvent, StageRun, State, Worker
from webapp.runs.querysets import in_line

DEFAULT = "default"


class Move(StrEnum):
    """Where an experiment may be moved to."""

    FRONT = "front"
    UP = "up"
    DOWN = "down"


def known_queues() -> list[str]:
    """Names of queues that there are, runs or workers or not: the default one first."""
    taken_from = {
        name
        for queues in Worker.objects.filter(stopped_at=None).values_list("queues", flat=True)
        for name in queues
    }
    waited_in = StageRun.objects.filter(state__in=(State.READY, State.WAITING, State.RUNNING))
    names = taken_from | set(waited_in.values_list("queue", flat=True).distinct())
    paused = Queue.objects.exclude(paused_at=None).values_list("name", flat=True)
    return [DEFAULT, *sorted((names | set(paused)) - {DEFAULT})]


def pause(*, queue: str, by: str) -> None:
    """Let nothing be taken from a queue any more; what runs goes on. Raises ValueError where that is so already."""
    known = known_queues()
    if queue not in known:
        raise ValueError(f"there is no queue {queue!r}{nearest(queue, known)}")
    with transaction.atomic():
        queue_lock.hold(queue)
        Queue.objects.get_or_create(name=queue)
        if not Queue.objects.filter(name=queue, paused_at=None).update(paused_at=Now(), paused_by=by):
            raise ValueError(f"the queue {queue} is paused already")
        _record(queue=queue, by=by, text="paused")


def resume(*, queue: str, by: str) -> None:
    """Let workers take from a queue again. Raises ValueError where they do."""
    with transaction.atomic():
        queue_lock.hold(queue)
        if not Queue.objects.filter(name=queue).exclude(paused_at=None).update(paused_at=None, paused_by=""):
            raise ValueError(f"the queue {queue} is not paused")
        _record(queue=queue, by=by, text="resumed")
        transaction.on_commit(lambda: announce(queue))


def move(*, experiment: Experiment, queue: str, to: Move, by: str) -> None:
    """Move an experiment in its queue, all its runs to come with it; what runs is not touched.

    The experiments there change places among themselves, so one that is launched later stands behind them. Raises
    ValueError when the experiment has nothing left in that queue, or stands there already.
    """
    with transaction.atomic():
        # Held, so that two who move at once do not give the same place twice; ordered only then, as they stand now.
        list(Experiment.objects.select_for_update().filter(pk__in=in_line(queue).values("pk")).order_by("pk"))
        before = list(in_line(queue))
        ids = [one.pk for one in before]
        if experiment.pk not in ids:
            raise ValueError(
                f"{experiment.name} has no run left in the queue {queue}; there is nothing to move"
            )
        at = ids.index(experiment.pk)
        there = {Move.FRONT: 0, Move.UP: at - 1, Move.DOWN: at + 1}[to]
        if there == at or not 0 <= there < len(ids):
            raise ValueError(f"{experiment.name} is {'last' if to is Move.DOWN else 'first'} already")
        after = list(before)
        after.insert(there, after.pop(at))
        places = [one.place for one in before]  # type: ignore[attr-defined]  # annotated by in_line
        for one, place in zip(after, places, strict=True):
            one.queue_place = place
        Experiment.objects.bulk_update(after, ["queue_place"])
        text = (
            f"moved {experiment.name} to the front" if to is Move.FRONT else f"moved {experiment.name} {to}"
        )
        _record(queue=queue, experiment=experiment, by=by, text=text)


def drain(*, worker: Worker, by: str) -> None:
    """Let a worker end what it runs and take nothing new. Raises ValueError where that is so already."""
    with transaction.atomic():
        for queue in sorted(worker.queues):
            queue_lock.hold(queue)
        live = Worker.objects.filter(pk=worker.pk, stopped_at=None)
        if not live.filter(drained_at=None).update(drained_at=Now(), drained_by=by):
            raise ValueError(f"{worker.name} is {'drained already' if live.exists() else 'gone'}")
        _record(worker=worker, by=by, text=f"drained {worker.name}")


def undrain(*, worker: Worker, by: str) -> None:
    """Let a drained worker take runs again. Raises ValueError where it does."""
    with transaction.atomic():
        drained = Worker.objects.filter(pk=worker.pk).exclude(drained_at=None)
        if not drained.update(drained_at=None, drained_by=""):
            raise ValueError(f"{worker.name} is not drained")
        _record(worker=worker, by=by, text=f"let {worker.name} take runs again")
        for queue in worker.queues:
            transaction.on_commit(partial(announce, queue))


def _record(
    *, by: str, text: str, queue: str = "", experiment: Experiment | None = None, worker: Worker | None = None
) -> None:
    """Write the event and wake the pages that show the queue, those of its experiments among them."""
    QueueEvent.objects.create(queue=queue, experiment=experiment, worker=worker, by=by, text=text)
    lifecycle.notify(queue=queue)
    for one in in_line(queue) if queue else []:
        lifecycle.notify(queue=queue, experiment=one.pk)
