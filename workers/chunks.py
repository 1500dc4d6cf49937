"""Chunks: points of a metric as arrays, one a flush, merged by sixteens so that each is rewritten seldom."""

import numpy as np
from django.db import connection

from webapp.telemetry.models import Metric, MetricChunk
from workers.batch import Points, storable

TOGETHER = 16  # chunks that are merged into one
GROWTH = 4  # a merged chunk has at least so many times its largest part: no point is rewritten often
SIZES = (16, 256, 4096)  # points: chunks below a size are merged with their like

COLUMNS = (
    "metric_id", "first_seq", "last_seq", "first_step", "last_step", "points", "steps", "times", "values",
)  # fmt: skip
TYPES = ["int8", "int8", "int8", "int8", "int8", "int4", "bytea", "bytea", "bytea"]


class Chunks:
    """The chunks of one attempt; its caller holds the lock on the attempt's row."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self._ids: dict[str, int] = {}
        self._sizes: dict[int, list[int]] = {}  # metric → points of its chunks, in order
        rows = Metric.objects.filter(attempt=attempt).order_by("chunks__first_seq")
        for pk, name, size in rows.values_list("pk", "name", "chunks__points"):
            self._ids[name] = pk
            self._sizes.setdefault(pk, []).append(size)

    def add(self, points: dict[str, Points]) -> None:
        """Store one new chunk a metric, then merge the small ones that have come together."""
        named = {storable(name): new for name, new in points.items()}
        missing = [Metric(attempt_id=self.attempt, name=name) for name in named if name not in self._ids]
        self._ids |= {metric.name: metric.pk for metric in Metric.objects.bulk_create(missing)}
        rows = [(self._ids[name], new) for name, new in named.items()]
        self._write(rows)
        for metric, new in rows:
            sizes = self._sizes.setdefault(metric, [])
            sizes.append(len(new.steps))
            while count := due(sizes):
                sizes[-count:] = [self._merge(metric, count)]

    def _write(self, rows: list[tuple[int, Points]]) -> None:
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        copied = f"COPY telemetry_metricchunk ({names}) FROM STDIN (FORMAT BINARY)"
        with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copied) as copy:
            copy.set_types(TYPES)
            for metric, new in rows:
                copy.write_row(
                    (
                        metric,
                        new.first_seq,
                        new.last_seq,
                        min(new.steps),
                        max(new.steps),
                        len(new.steps),
                        np.asarray(new.steps, "<i8").tobytes(),
                        np.asarray(new.times, "<f8").tobytes(),
                        np.asarray(new.values, "<f8").tobytes(),
                    )
                )

    def _merge(self, metric: int, count: int) -> int:
        """Replace the metric's last `count` chunks by one; returns its points."""
        newest = MetricChunk.objects.filter(metric=metric).order_by("-first_seq")[:count]
        parts = list(reversed(newest))
        MetricChunk.objects.filter(pk__in=[part.pk for part in parts]).delete()
        merged = MetricChunk.objects.create(
            metric_id=metric,
            first_seq=parts[0].first_seq,
            last_seq=parts[-1].last_seq,
            first_step=min(part.first_step for part in parts),
            last_step=max(part.last_step for part in parts),
            points=sum(part.points for part in parts),
            steps=b"".join(part.steps for part in parts),
            times=b"".join(part.times for part in parts),
            values=b"".join(part.values for part in parts),
        )
        return merged.points


def due(sizes: list[int]) -> int:
    """How many chunks at the end should be merged now; 0 when none."""
    for size in SIZES:
        count = 0
        while count < len(sizes) and sizes[-1 - count] < size:
            count += 1
        together = sizes[len(sizes) - count :]
        if count >= TOGETHER and sum(together) >= GROWTH * max(together):
            return count
    return 0
