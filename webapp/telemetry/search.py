"""The words of rollouts, made searchable, and their groups, counted, in the background: ingest only appends.

A page says how far this is.

Words are runs of letters and digits, in small letters, of prompt and completion: `<MUL_6_7_42>` is found by
`"mul 6 7 42"` and by `mul_6_7_42` alike.
"""

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import connection, transaction
from django.db.models import BigAutoField, F, Lookup, Q, QuerySet

from webapp.runs.models import Attempt
from webapp.telemetry import series
from webapp.telemetry.models import Rollout, RolloutText, TextIndex

BATCH = 2_000  # rollouts in one transaction
FEW = 20_000  # matches that are looked up once for all attempts
KEY = "hashtextextended(prompt, 0)"
SEPARATORS = "[^[:alnum:]]+"


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
        while added := _index_some(attempt):
            indexed += added
            if time.monotonic() > until:
                return indexed
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
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO telemetry_rollouttext (rollout_id, prompt_key, words)"  # noqa: S608 - constants only
                f" SELECT id, {KEY}, to_tsvector('simple',"
                " regexp_replace(prompt || ' ' || completion, %s, ' ', 'g'))"
                " FROM telemetry_rollout WHERE attempt_id = %s AND seq > %s AND seq <= %s",
                [SEPARATORS, attempt, mark.seq, upto],
            )
            count = cursor.rowcount
            cursor.execute(
                'INSERT INTO telemetry_grouptally (attempt_id, step, "group", prompt_key, first, rollouts, correct)'  # noqa: S608 - constants only
                f' SELECT attempt_id, step, "group", min({KEY}), min(id), count(*), count(*) FILTER (WHERE correct)'
                " FROM telemetry_rollout WHERE attempt_id = %s AND seq > %s AND seq <= %s"
                ' GROUP BY attempt_id, step, "group" ON CONFLICT (attempt_id, step, "group") DO UPDATE SET'  # of two records
                " rollouts = telemetry_grouptally.rollouts + excluded.rollouts,"
                " correct = telemetry_grouptally.correct + excluded.correct",
                [attempt, mark.seq, upto],
            )
        mark.seq, mark.step = upto, max(mark.step, ends[1])
        mark.save(update_fields=["seq", "step"])
    return int(count)


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


def of_prompt(run_id: int, prompt: str) -> QuerySet[Rollout]:
    """The rollouts of a run that answer this prompt and are in the index."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT hashtextextended(%s, 0)", [prompt])
        key = cursor.fetchone()[0]
    # the hash finds, the text decides
    return series.rollouts([run_id]).filter(text__prompt_key=key, prompt=prompt)


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
