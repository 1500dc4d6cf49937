"""Readings that were made, kept in a table: a run that is over is read once (decision 056)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from webapp.charts import kinds
from webapp.diagnosis import dynamics
from webapp.diagnosis.finding import Finding
from webapp.results import answer_rules, outcome_counts
from webapp.results.models import KeptReading
from webapp.runs import contamination
from webapp.statistics import intervals, proportions, trends
from webapp.telemetry import series

READ_BY = (  # what rules of a run compute with, beside the modules of this folder
    answer_rules,
    contamination,
    intervals,
    kinds,
    outcome_counts,
    proportions,
    series,
    trends,
)


@with_config(ConfigDict(ser_json_inf_nan="constants"))
@dataclass(frozen=True)
class Reading:
    """What the records of one stage run say."""

    dynamics: list[dynamics.MetricTrend]  # of a GRPO run
    findings: list[Finding]


WRITTEN = TypeAdapter(Reading)


@cache
def _rules() -> bytes:
    """A digest of the code that makes readings, so that other rules read anew."""
    files = [*Path(__file__).parent.rglob("*.py"), *(Path(str(module.__file__)) for module in READ_BY)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).digest()


def _digest(made_from: str) -> str:
    return hashlib.sha256(_rules() + made_from.encode()).hexdigest()


def find(made_from: Mapping[int, str]) -> dict[int, Reading]:
    """The readings of these stage runs that are kept and were made from just this. One query."""
    rows = KeptReading.objects.filter(stage_run__in=made_from).values_list(
        "stage_run", "made_from", "content"
    )
    return {
        run: WRITTEN.validate_json(content)
        for run, digest, content in rows
        if digest == _digest(made_from[run])
    }


def latest(run: int) -> Reading | None:
    """What is kept of a stage run, whatever it was made from; None where nothing is, or other code has written it."""
    content = KeptReading.objects.filter(stage_run=run).values_list("content", flat=True).first()
    try:
        return None if content is None else WRITTEN.validate_json(content)
    except ValidationError:
        return None


def keep(readings: Iterable[tuple[int, str, Reading]]) -> None:
    """Keep (stage run, what it was made from, its reading) instead of what was kept of the run before. One query."""
    KeptReading.objects.bulk_create(
        [
            KeptReading(
                stage_run_id=run, made_from=_digest(made_from), content=WRITTEN.dump_json(reading).decode()
            )
            for run, made_from, reading in sorted(readings, key=lambda one: one[0])
        ],
        update_conflicts=True,
        unique_fields=["stage_run"],
        update_fields=["made_from", "content"],
    )
