"""Answers that were read, kept in a table: lists of a thousand experiments show a verdict each without counting outcomes.

A row holds as long as nothing new came in: no journal was read on, no run moved, nothing was graded anew, and the code that
reads it is the same. Rows that nobody looks at are read anew by the messenger of a worker (decision 069).
"""

import hashlib
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.db import DatabaseError
from django.db.models import Aggregate, Exists, Max, OuterRef, Q, Subquery, Sum
from pydantic import TypeAdapter

from webapp import statistics
from webapp.comparison.answers.planned_answers import ExperimentAnswer, answer
from webapp.experiments.models import Experiment
from webapp.results import outcome_counts, samples, token_counts
from webapp.results.models import Evaluation, KeptAnswer
from webapp.runs.models import Attempt, Event, StageRun

WRITTEN = TypeAdapter(ExperimentAnswer)
READ_BY = (outcome_counts, samples, token_counts)  # beside this room and the statistics
AT_ONCE = 20  # experiments that read_some looks for
log = logging.getLogger("mulberry.answers")
_unreadable: set[int] = set()  # experiments that read_some passes over, as long as this process lives


@cache
def _code() -> bytes:
    """A digest of the code that reads answers, so that other code reads anew."""
    rooms = (Path(__file__).parents[1], Path(str(statistics.__file__)).parent)
    files = [
        *(path for room in rooms for path in room.rglob("*.py")),
        *(Path(str(m.__file__)) for m in READ_BY),
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files))).digest()


@dataclass(frozen=True)
class _Kept:
    """What is kept of an experiment, and what it would be made from now."""

    made_from: str  # a digest
    kept_from: str | None
    content: str | None

    @property
    def holds(self) -> bool:
        """Whether nothing new came in."""
        return self.kept_from == self.made_from


def _kept(experiments: Iterable[int]) -> dict[int, _Kept]:
    """What is kept of each. One query."""
    run = "stage_run__experiment"
    found = Experiment.objects.filter(pk__in=list(experiments)).order_by()
    rows = found.values_list(
        "pk",
        "kept_answer__made_from",
        "kept_answer__content",
        _of_one(Attempt.objects, run, Sum("journal_seq")),
        _of_one(Attempt.objects, run, Max("pk")),
        _of_one(Event.objects, run, Max("pk")),
        _of_one(Evaluation.objects, f"attempt__{run}", Max("pk")),
    )
    return {
        pk: _Kept(hashlib.sha256(_code() + repr(ends).encode()).hexdigest(), kept_from, content)
        for pk, kept_from, content, *ends in rows
    }


def _of_one(rows: Any, experiment: str, made: Aggregate) -> Subquery:
    """A sum or a maximum over an experiment's rows."""
    own = rows.filter(**{experiment: OuterRef("pk")}).order_by().values(experiment)
    return Subquery(own.annotate(made=made).values("made"))


def answers(
    experiments: Sequence[Experiment], *, seconds: float | None = None
) -> tuple[dict[int, ExperimentAnswer], int]:
    """The answers of these experiments, and how many of them are not the newest.

    Those with news are read anew for about so long (None: all of them); then what was kept stands in, or nothing.
    """
    kept = _kept(one.pk for one in experiments)
    stale = [one for one in experiments if not kept[one.pk].holds]
    found: dict[int, ExperimentAnswer] = {}
    ends = None if seconds is None else time.monotonic() + seconds
    while stale and (ends is None or time.monotonic() < ends):
        one = stale.pop(0)
        try:
            found[one.pk] = _read(one, kept[one.pk].made_from)
            _unreadable.discard(one.pk)
        except DatabaseError:
            raise
        except Exception:  # of this experiment alone: the others, and lists, need not wait for it
            log.exception("the answer of %s cannot be read", one.name)
            _unreadable.add(one.pk)
    for pk, one_kept in kept.items():
        if pk not in found and one_kept.content is not None:
            found[pk] = WRITTEN.validate_json(one_kept.content)
    return found, len(stale)


def read_some(*, seconds: float) -> None:
    """Read answers that nobody has looked at since there was news in them: of some experiments, for about so long."""
    ended = StageRun.objects.filter(
        experiment=OuterRef("pk"), finished_at__gt=OuterRef("kept_answer__read_at")
    )
    waiting = Experiment.objects.filter(Q(kept_answer=None) | Q(Exists(ended))).order_by("-pk")
    waiting = waiting.exclude(pk__in=_unreadable)
    answers(list(waiting[:AT_ONCE]), seconds=seconds)


def _read(experiment: Experiment, made_from: str) -> ExperimentAnswer:
    """Read anew and kept instead of what was there before."""
    found = answer(experiment)
    row = KeptAnswer(
        experiment=experiment,
        made_from=made_from,
        content=WRITTEN.dump_json(found).decode(),
        delta=next((one.number for one in found.strongest if one.number is not None), None),
        reached=found.reached,
    )
    KeptAnswer.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["experiment"],
        update_fields=["made_from", "content", "delta", "reached", "read_at"],
    )
    return found
