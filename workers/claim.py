"""Claiming: one statement takes the oldest ready run of a queue for a worker, with a new attempt number."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from webapp.runs import lifecycle
from webapp.runs.models import State, Worker
from workers.devices import Device

LEASE = timedelta(minutes=5)  # of silence, after which another worker may take the run over

CLAIM = """
WITH oldest AS (
    SELECT id FROM runs_stagerun
    WHERE state = 'ready' AND queue = %(queue)s AND (not_before IS NULL OR not_before <= now())
    ORDER BY experiment_id, ready_at, id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE runs_stagerun AS run
    SET state = 'running', attempt_number = run.attempt_number + 1, lease_until = now() + %(lease)s,
        started_at = coalesce(run.started_at, now()), not_before = NULL
    FROM oldest WHERE run.id = oldest.id
    RETURNING run.id, run.experiment_id, run.parent_id, run.attempt_number, run.spec
), attempt AS (
    INSERT INTO runs_attempt (stage_run_id, number, worker_id, device, hostname, boot_id, run_dir,
                              journal_offset, journal_seq, outcome, error)
    SELECT id, attempt_number, %(worker)s, %(device)s, %(hostname)s, %(boot_id)s, '', 0, 0, '', ''
    FROM claimed
    RETURNING id
), event AS (
    INSERT INTO runs_event (stage_run_id, attempt_number, from_state, to_state, text)
    SELECT id, attempt_number, 'ready', 'running', %(text)s FROM claimed
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


def next_run(queue: str, worker: Worker, device: Device) -> Claim | None:
    """Claim the oldest ready run of a queue whose back-off is over; None when nothing fits.

    Oldest experiment first; within it by the time that a run became ready, so conditions go side by side.
    """
    values: dict[str, Any] = {
        "queue": queue,
        "lease": LEASE,
        "worker": worker.pk,
        "device": device.name,
        "hostname": worker.hostname,
        "boot_id": worker.boot_id,
        "text": f"on {worker.name}, {device.name}",
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        row = cursor.fetchone()
        if row is None:
            return None
        run, experiment, parent, number, spec, attempt = row
        lifecycle.notify(experiment=experiment, run=run, state=str(State.RUNNING))
    return Claim(run, experiment, parent, number, json.loads(spec), attempt)  # jsonb comes as text
