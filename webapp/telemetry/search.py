"""The words of rollouts, made searchable in the background: ingest only appends, and a page says how far this is.

Words are runs of letters and digits, in small letters, of prompt and completion: `<MUL_6_7_42>` is found by
`"mul 6 7 42"` and by `mul_6_7_42` alike.
"""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import BigAutoField, F, Lookup, Q, QuerySet

from webapp.runs.models import Attempt
from webapp.telemetry.models import Rollout, RolloutText, TextIndex

BATCH = 2_000  # rollouts in one transaction
FEW = 20_000  # matches that are looked up once for all attempts
SEPARATORS = "[^[:alnum:]]+"
LONGEST = 100_000  # characters of prompt and completion that are indexed: no more words than PostgreSQL's 1 MiB holds
OF_A_ROW = ("22", "54", "XX")  # classes of errors that are about what stands in a row, not about the database
INSERT = """
INSERT INTO telemetry_rollouttext (rollout_id, words, cut)
SELECT id, to_tsvector('simple', regexp_replace(left(prompt || ' ' || completion, %(longest)s), %(separators)s, ' ', 'g')),
       length(prompt) + 1 + length(completion) > %(longest)s
FROM telemetry_rollout WHERE attempt_id = %(attempt)s AND seq > %(after)s AND seq <= %(upto)s
"""
log = logging.getLogger("mulberry.search")


@BigAutoField.register_lookup
class AnyOf(Lookup):  # type: ignore[type-arg]  # generic in the stubs alone
    """`pk__any_of`: among these, sent as one array. The numbers that `in` writes one by one take longer to read than to find."""

    lookup_name = "any_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """`field = ANY(array)`."""
        field, parameters = self.process_lhs(compiler, connection)
        return f"{field} = ANY(%s)", [*parameters, self.rhs]


def index_texts(seconds: float = 0.5) -> int:
    """Index what was ingested since, the oldest attempt first, for about so long; return how many rollouts."""
    until, indexed = time.monotonic() + seconds, 0
    behind = Attempt.objects.filter(
        Q(text_index=None, journal_seq__gt=0) | Q(text_index__seq__lt=F("journal_seq"))
    )
    for attempt in behind.order_by("pk").values_list("pk", flat=True):
        try:
            while added := _index_some(attempt):
                indexed += added
                if time.monotonic() > until:
                    return indexed
        except (OperationalError, InterfaceError):  # the database is out of reach
            raise
        except Exception:  # of one attempt: the next ones need not wait for it
            log.exception("the texts of attempt %s cannot be searched", attempt)
    return indexed


def _index_some(attempt: int) -> int:
    """Index the next rollouts of one attempt, whole journal records; 0 when there are none or another worker is at it."""
    TextIndex.objects.get_or_create(attempt_id=attempt)
    with transaction.atomic():
        mark = TextIndex.objects.select_for_update(skip_locked=True).filter(attempt_id=attempt).first()
        if mark is None:
            return 0
        # Records of an attempt become visible in order and together with its journal_seq: none can come in behind it.
        visible = Attempt.objects.values_list("journal_seq", flat=True).get(pk=attempt)
        new = Rollout.objects.filter(attempt_id=attempt, seq__gt=mark.seq, seq__lte=visible).order_by(
            "seq", "index"
        )
        last = new.values_list("seq", "step")[:BATCH]
        count, ends = len(last), max(last, default=None)
        if ends is None:
            mark.seq = visible
            mark.save(update_fields=["seq"])
            return 0
        upto = ends[0]
        count = _insert(attempt, mark.seq, upto)
        mark.seq, mark.step = upto, max(mark.step, ends[1])
        mark.save(update_fields=["seq", "step"])
    return int(count)


def _insert(attempt: int, after: int, upto: int) -> int:
    """Index these records, at once or, where one cannot be, row by row without it; returns how many rollouts.

    What is left out has an entry without words, marked as cut: it must not keep back what comes after it.
    """
    values: dict[str, int | str] = {
        "attempt": attempt,
        "after": after,
        "upto": upto,
        "longest": LONGEST,
        "separators": SEPARATORS,
    }
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute(INSERT, values)
                return int(cursor.rowcount)
        except DatabaseError as error:
            if not _of_a_row(error):
                raise
        rows = Rollout.objects.filter(attempt_id=attempt, seq__gt=after, seq__lte=upto)
        ids = list(rows.order_by("seq", "index").values_list("pk", flat=True))
        for pk in ids:
            try:
                with transaction.atomic():
                    cursor.execute(f"{INSERT} AND id = %(pk)s", {**values, "pk": pk})
            except DatabaseError as error:
                if not _of_a_row(error):
                    raise
                log.warning("rollout %s cannot be searched: %s", pk, str(error).strip())
                RolloutText.objects.create(rollout_id=pk, words="", cut=True)
    return len(ids)


def _of_a_row(error: DatabaseError) -> bool:
    return str(getattr(error.__cause__, "sqlstate", None) or "")[:2] in OF_A_ROW


def query(words: str) -> SearchQuery | None:
    """What a person typed as a search: all words, "a phrase", -without, one or other; None when no word is in it."""
    cleaned = re.sub(r"[^\w\s\"-]|_|(?<=\S)-|-(?=\s|$)", " ", words)
    if not re.search(r"\w", cleaned):
        return None
    return SearchQuery(cleaned, config="simple", search_type="websearch")


def with_words(found: QuerySet[Rollout], words: SearchQuery) -> QuerySet[Rollout]:
    """Those that are in the index and hold the words."""
    return found.filter(text__words=words)


def with_words_each(
    found: Mapping[int, QuerySet[Rollout]], words: SearchQuery
) -> dict[int, QuerySet[Rollout]]:
    """The same for the rollouts of each attempt. Few matches are looked up once: each attempt would read all of them.

    Many are not: an attempt's newest rollouts soon have as many as a page shows.
    """
    matches = list(RolloutText.objects.filter(words=words).values_list("pk", flat=True)[: FEW + 1])
    if len(matches) > FEW:
        return {attempt: with_words(rows, words) for attempt, rows in found.items()}
    mine: dict[int, list[int]] = defaultdict(list)
    of_these = Rollout.objects.filter(pk__any_of=matches, attempt__in=found)
    for pk, attempt in of_these.values_list("pk", "attempt_id"):
        mine[attempt].append(pk)
    return {attempt: rows.filter(pk__any_of=mine[attempt]) for attempt, rows in found.items()}


def cut_texts(run_ids: Iterable[int]) -> int:
    """How many rollouts of these runs are found by a part of their words alone, or by none."""
    return RolloutText.objects.filter(cut=True, rollout__attempt__stage_run__in=list(run_ids)).count()


def indexed_to(run_ids: Iterable[int]) -> int | None:
    """The step up to which the rollouts of all these runs can be found by words; None when all ingested ones can."""
    steps = (_indexed_to(run_id) for run_id in run_ids)
    return min((step for step in steps if step is not None), default=None)


def _indexed_to(run_id: int) -> int | None:
    attempts = Attempt.objects.filter(stage_run=run_id)
    behind = attempts.filter(Q(text_index=None, journal_seq__gt=0) | Q(text_index__seq__lt=F("journal_seq")))
    waiting = [
        attempt
        for attempt, seq in behind.values_list("pk", "text_index__seq")
        if Rollout.objects.filter(attempt=attempt, seq__gt=seq or 0).exists()
    ]
    if not waiting:
        return None
    marks = TextIndex.objects.filter(attempt__stage_run=run_id).values_list("step", flat=True)
    return max(marks, default=0)
