"""Ingest: tails an attempt's journal and COPYs its records, with the new offset in the same transaction."""

from pathlib import Path
from typing import Any

from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from training.process import journal
from training.process.journal import Hole, Record
from training.process.run_folders import belongs_to_another
from webapp.results.models import AS_IT_RAN, Evaluation
from webapp.runs import lifecycle
from webapp.runs.models import Attempt, Checkpoint, StageRun
from workers.batch import OUTCOME, ROLLOUT, Batch, storable, storable_json
from workers.chunks import Chunks

UNFIT = (DataError, IntegrityError, KeyError, TypeError, ValueError)  # what a wrong record ends in
FLUSH_BYTES = 4 << 20  # of journal in one transaction, so that heartbeats go on over a long backlog


class UnfitRecord(ValueError):
    """A record that the database cannot take, now or ever."""


class Ingest:
    """Brings one attempt's journal into the database; several at once are safe, one wins each flush.

    Raises UnfitRecord when the run directory is another run's.
    """

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.finished: dict[str, Any] | None = None  # the `finished` record, once its flush has committed
        key = self._load()
        if belongs_to_another(self.path.parent, key):
            raise UnfitRecord(f"{self.path.parent} holds files of another run; move it away, then retry")

    @property
    def behind(self) -> bool:
        """Whether the journal holds bytes that are not in the database."""
        return self.path.exists() and self.path.stat().st_size > self.offset

    def _load(self) -> str:
        """What the database has of the attempt; returns the key of its run."""
        row = Attempt.objects.select_related("stage_run").get(pk=self.attempt)
        self.run, self.number, self.experiment = row.stage_run_id, row.number, row.stage_run.experiment_id
        self.path = Path(row.run_dir) / "journal"
        self.offset, self.seq, self.hole = row.journal_offset, row.journal_seq, row.journal_hole
        self._chunks = Chunks(self.attempt)
        self._stale = False
        self._evaluations = dict(
            Evaluation.objects.filter(attempt=row, grading=AS_IT_RAN).order_by("seq").values_list("key", "pk")
        )
        return row.stage_run.key

    def flush(self) -> int:
        """Bring in the next few megabytes of whole records; returns how many, 0 when there are none.

        Raises UnfitRecord, and django's OperationalError or InterfaceError when the database is out of reach.
        """
        try:
            return self._flush()
        except UNFIT as error:
            line = f"{type(error).__name__} {error}".splitlines()[0]
            raise UnfitRecord(f"{self.path} from byte {self.offset} on cannot be stored: {line}") from error

    def _flush(self) -> int:
        if self._stale:
            self._load()
        if not self.behind:
            return 0
        batch = Batch(offset=self.offset, seq=self.seq, damaged=self.hole is not None)
        for one in journal.read(self.path, self.offset, FLUSH_BYTES):
            if isinstance(one, Record):
                batch.add(one)
            else:
                batch.skip(one)
        if batch.records == 0:
            return 0
        self._stale = True  # until the commit: what is remembered here may be rolled back there
        with transaction.atomic():
            mine = Attempt.objects.filter(pk=self.attempt, journal_offset=self.offset)
            won = mine.update(journal_offset=batch.offset, journal_seq=batch.seq) == 1
            if won:
                self._store(batch)
        if won:  # else another process brought these records in: read again from where it stopped
            self._stale = False
            self.offset, self.seq = batch.offset, batch.seq
            self.finished = batch.finished or self.finished
            if batch.missing:
                self.hole = batch.missing[1].start
        return batch.records

    @property
    def damage(self) -> str:
        """What cannot be read of the journal, and what follows from that; empty when all can."""
        if self.hole is None:
            return ""
        return (
            f"the journal {self.path} cannot be read at byte {self.hole:,}: its disk or a copy damaged it; what was computed "
            "since the checkpoint before that is computed again"
        )

    def drain(self) -> None:
        """Bring in everything to the journal's end (or its torn tail)."""
        while self.flush():
            pass
        if self.hole is None and self.finished is None and self.path.exists():
            for record in journal.records(self.path):  # an earlier process may have brought it in
                if record.type == "finished":
                    self.finished = record.fields

    def _store(self, batch: Batch) -> None:
        if batch.missing:
            self._store_hole(batch, *batch.missing)
        if batch.first_step is not None:
            Attempt.objects.filter(pk=self.attempt).update(
                first_step=batch.first_step,
                code_version=storable(batch.code_version)[:100] if batch.code_version else None,
                environment=storable_json(batch.environment),
            )
        if batch.data is not None:
            Attempt.objects.filter(pk=self.attempt).update(data=storable_json(batch.data))
        if batch.examples is not None:
            Attempt.objects.filter(pk=self.attempt).update(examples=storable_json(batch.examples))
        if batch.contamination is not None:
            Attempt.objects.filter(pk=self.attempt).update(contamination=storable_json(batch.contamination))
        if batch.points:
            self._chunks.add(batch.points)
        self._store_rollouts(batch)
        self._copy("telemetry_logline", ("seq", "at", "level", "text", "attempt_id"),
                   [(*line, self.attempt) for line in batch.log_lines])  # fmt: skip
        self._store_evaluations(batch)
        self._store_checkpoints(batch)
        if batch.progress is not None:
            self._store_progress(batch.progress)
        lifecycle.notify(experiment=self.experiment, run=self.run, attempt=self.attempt, seq=batch.seq)

    def _store_hole(self, batch: Batch, missing: int, hole: Hole) -> None:
        """The first byte that is missing, and a line of the log about it under the number of the record that is."""
        Attempt.objects.filter(pk=self.attempt).update(journal_hole=hole.start)
        text = f"{hole.offset - hole.start:,} bytes of the journal from byte {hole.start:,} on cannot be read"
        batch.log_lines.append((missing, timezone.now(), "error", text))

    def _store_rollouts(self, batch: Batch) -> None:
        columns = ("seq", "step", "sampled_at", "index", *ROLLOUT, "attempt_id")
        self._copy("telemetry_rollout", columns, [(*row, self.attempt) for row in batch.rollouts])

    def _store_evaluations(self, batch: Batch) -> None:
        for fields in batch.evaluations:
            created = Evaluation.objects.create(
                attempt_id=self.attempt,
                seq=fields["seq"],
                key=fields["evaluation"],
                benchmark=fields["benchmark"],
                step=fields["step"],
                problems=fields["problems"],
                settings=storable_json(fields["settings"]),
                at=fields["at"],
            )
            self._evaluations[created.key] = created.pk
        rows = [(self._evaluations[key], *columns) for key, columns in batch.outcomes]
        self._copy("results_outcome", ("evaluation_id", *OUTCOME), rows)

    def _store_checkpoints(self, batch: Batch) -> None:
        for fields in batch.checkpoints:
            Checkpoint.objects.create(
                attempt_id=self.attempt,
                seq=fields["seq"],
                step=fields["step"],
                path=storable(fields["path"]),
                final=fields["final"],
                manifest_sha256=fields["manifest_sha256"],
                bytes=fields["bytes"],
                saved_at=fields["at"],
            )

    def _store_progress(self, fields: dict[str, Any]) -> None:
        """Progress belongs to the run, so it is fenced by the attempt's number."""
        StageRun.objects.filter(pk=self.run, attempt_number=self.number).update(
            progress_done=fields["done"],
            progress_total=fields["total"],
            progress_unit=fields["unit"],
            progress_phase=fields["phase"],
        )

    @staticmethod
    def _copy(table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        if not rows:
            return
        names = ", ".join(f'"{name}"' for name in columns)
        copied = f"COPY {table} ({names}) FROM STDIN"
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copied) as copy:
            for row in rows:
                copy.write_row(row)
