"""Writing annotations, and finding completions by them."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Manager, Model, QuerySet

from webapp.annotations.models import OutcomeAnnotation, RolloutAnnotation
from webapp.results.models import Outcome
from webapp.telemetry.models import Rollout

LONGEST_LABEL = 40
LONGEST_TEXT = 4_000
MOST_FOUND = 10_000  # annotated completions that a filter looks for
KINDS: dict[str, tuple[type[Model], type[RolloutAnnotation] | type[OutcomeAnnotation]]] = {
    "rollout": (Rollout, RolloutAnnotation),
    "outcome": (Outcome, OutcomeAnnotation),
}
COMMENTED, LABELLED = "commented", "label:"  # what a filter asks for: a comment, or a label by its name


def annotate(*, kind: str, of: int, label: str, text: str, by: str) -> None:
    """Put a label, a comment or both on a completion. Raises ValueError with what to fix."""
    label, text = " ".join(label.split()), text.replace("\r\n", "\n").strip()
    if not label and not text:
        raise ValueError("write a label, a comment or both")
    if len(label) > LONGEST_LABEL or not label.isprintable() or "," in label:
        raise ValueError(f"a label has up to {LONGEST_LABEL} printable characters and no comma")
    if len(text) > LONGEST_TEXT or "\x00" in text:
        raise ValueError(f"a comment has up to {LONGEST_TEXT:,} characters")
    _written(kind).create(of_id=of, label=label, text=text, by=by)


def remove(*, kind: str, annotation: int, by: str) -> None:
    """Take an annotation away; each person their own. Raises ValueError where there is none of theirs."""
    gone, _ = _written(kind).filter(pk=annotation, by=by).delete()
    if not gone:
        raise ValueError("it is not there any more, or somebody else wrote it")


def choices(kind: str, **of: Any) -> dict[str, str]:
    """What a filter offers, key → words, of the completions that `of` looks up: nothing where none is annotated. One query."""
    rows = _those(kind, of).order_by("label").values_list("label", "text").distinct()
    labels = {label for label, _ in rows if label}
    offered = {f"{LABELLED}{label}": f"labelled {label}" for label in sorted(labels, key=str.casefold)}
    return offered | ({COMMENTED: "commented"} if any(text for _, text in rows) else {})


def those(kind: str, asked: str, **of: Any) -> list[int]:
    """Ids of the completions that a filter asks for, the newest annotated first, MOST_FOUND at most. One query."""
    every, label = _those(kind, of), asked.removeprefix(LABELLED)
    rows = every.exclude(text="") if asked == COMMENTED else every.filter(label=label)
    return list(dict.fromkeys(rows.order_by("-pk").values_list("of", flat=True)[:MOST_FOUND]))


def found(kind: str, words: Iterable[str], of: str, most: int) -> list[tuple[str, Any, int]]:
    """Labels that hold every word, each with what `of` looks up of its completions and their number. One query."""
    rows = _written(kind).exclude(label="")
    for word in words:
        rows = rows.filter(label__icontains=word)
    counted = rows.order_by().values_list("label", f"of__{of}").annotate(count=Count("of", distinct=True))
    return list(counted.order_by("-count", "label")[:most])


def _written(kind: str) -> Manager[Any]:
    """All annotations of a kind."""
    return KINDS[kind][1]._default_manager


def _those(kind: str, of: dict[str, Any]) -> QuerySet[Any]:
    return _written(kind).filter(**{f"of__{name}": value for name, value in of.items()})


def of_each(kind: str, ids: Iterable[int]) -> dict[int, list[Any]]:
    """Completion → its annotations, the oldest first. One query."""
    written: dict[int, list[Any]] = {}
    for one in _written(kind).filter(of__in=list(ids)):
        written.setdefault(one.of_id, []).append(one)
    return written
