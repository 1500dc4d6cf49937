"""Claiming: one statement takes the next ready run of a queue for a worker, with a new attempt number."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists

from webapp.runs import lifecycle, queue_lock
from webapp.runs.models import State, Worker
from webapp.runs.querysets import in_queue_order, takeable
from workers.devices import Device

LEASE = timedelta(minutes=5)  # of silence, after which another worker may take the run over

# {next} is the queue's order as every page has it (webapp.runs.querysets), for one run; its parameters come first.
CLAIM = """
WITH next AS (
    {next} FOR UPDATE OF runs_stagerun SKIP LOCKED
), claimed AS (
    UPDATE runs_stagerun AS run
    SET state = 'running', attempt_number = run.attempt_number + 1, lease_until = now() + %s,
        started_at = coalesce(run.started_at, now()), not_before = NULL
    FROM next WHERE run.id = next.id
    RETURNING run.id, run.experiment_id, run.parent_id, run.attempt_number, run.spec, run.key
), attempt AS (
    INSERT INTO runs_attempt (stage_run_id, number, worker_id, device, hostname, boot_id, run_dir,
                              journal_offset, journal_seq, outcome, error)
    SELECT id, attempt_number, %s, %s, %s, %s, '', 0, 0, '', ''
    FROM claimed
    RETURNING id
), event AS (
    INSERT INTO runs_event (stage_run_id, attempt_number, from_state, to_state, text)
    SELECT id, attempt_number, 'ready', 'running', %s FROM claimed
)
SELECT claimed.*, attempt.id FROM claimed, attempt
"""


@dataclass(frozen=True)
class Claim:
    """A run that this worker holds; `number` fences every write about its state."""

    run: int
    experiment: int
    parent: int | None
    number: int
    spec: dict[str, Any]
    attempt: int
    key: str  # what names the run for good


def next_run(queue: str, worker: Worker, device: Device) -> Claim | None:
    """Claim the next run of a queue whose back-off is over; None when nothing fits.

    Nothing does while the worker does not serve the queue, the queue is paused or the worker drained or out of service: whoever does that waits for claims under way.
    """
    if queue not in worker.queues:
        return None  # a message that strayed here
    row = (worker.pk, device.name, worker.hostname, worker.boot_id)
    with transaction.atomic(), connection.cursor() as cursor:
        queue_lock.share(queue)
        willing = Worker.objects.filter(pk=worker.pk, drained_at=None, out_of_service_at=None)
        next_ = in_queue_order(takeable().filter(Exists(willing), queue=queue))
        sql, parameters = next_.values("id")[:1].query.sql_with_params()
        text = f"on {worker.name}, {device.name}"
        values: tuple[Any, ...] = (*parameters, LEASE, *row, text)
        cursor.execute(CLAIM.format(next=sql), values)
        found = cursor.fetchone()
        if found is None:
            return None
        run, experiment, parent, number, spec, key, attempt = found
        lifecycle.notify(experiment=experiment, run=run, state=str(State.RUNNING))
    return Claim(run, experiment, parent, number, json.loads(spec), attempt, key)  # jsonb comes as text
