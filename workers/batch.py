"""A batch: journal records sorted into rows for each table, with text that PostgreSQL can hold."""

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from training.process.journal import LEFT_OUT, OF_TOKENS, RENAMED, Hole, OutcomeRow, Record, RolloutRow

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and lone surrogates
ROLLOUT = tuple(
    RolloutRow.__annotations__
)  # columns of the tables, beside those that say where a row comes from
OUTCOME = tuple(OutcomeRow.__annotations__)


@dataclass
class Points:
    """New points of one metric, in the order of the journal."""

    first_seq: int
    last_seq: int
    steps: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


@dataclass
class Batch:
    """What some consecutive records say, sorted by table; behind a hole only what was logged.

    Without what is missing the rest is no result: it is computed again, from a checkpoint that lies before the hole.
    """

    offset: int = 0
    seq: int = 0  # of the last record
    records: int = 0
    damaged: bool = False  # a record is missing, here or before
    missing: tuple[int, Hole] | None = (
        None  # the first one that is missing here: its seq, and where it should be
    )
    _unread: Hole | None = None  # what lies before the next record
    points: dict[str, Points] = field(default_factory=dict)
    rollouts: list[tuple[Any, ...]] = field(default_factory=list)
    log_lines: list[tuple[Any, ...]] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[tuple[str, list[Any]]] = field(default_factory=list)  # (evaluation's key, columns)
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    progress: dict[str, Any] | None = None
    first_step: int | None = None
    code_version: str | None = None
    environment: dict[str, Any] | None = None
    data: list[dict[str, Any]] | None = None
    examples: list[dict[str, Any]] | None = None
    contamination: list[dict[str, Any]] | None = None
    finished: dict[str, Any] | None = None

    def add(self, record: Record) -> None:
        """Sort one record in."""
        if record.seq != self.seq + 1 and not self.damaged:
            self.damaged = True
            self.missing = self.seq + 1, self._unread or Hole(self.offset, self.offset)
        if not self.damaged or record.type == "log":
            self._sort_in(record)
        self.offset, self.seq, self.records = record.offset, record.seq, self.records + 1
        self._unread = None

    def skip(self, hole: Hole) -> None:
        """Pass over bytes that cannot be read; whether a record is missing, the next one's number says."""
        self._unread = hole
        self.offset = hole.offset

    def _sort_in(self, record: Record) -> None:
        at = datetime.fromtimestamp(record.time, UTC)
        match record.type:
            case "metrics":
                self._add_points(record)
            case "rollouts":
                head = (record.seq, record.fields["step"], at)
                self.rollouts += [
                    (*head, i, *_columns(RolloutRow, r)) for i, r in enumerate(record.fields["rows"])
                ]
            case "outcomes":
                key = record.fields["evaluation"]
                self.outcomes += [(key, _columns(OutcomeRow, row)) for row in record.fields["rows"]]
            case "evaluation":
                self.evaluations.append({**record.fields, "seq": record.seq, "at": at})
            case "checkpoint":
                self.checkpoints.append({**record.fields, "seq": record.seq, "at": at})
            case "log":
                fields = record.fields
                self.log_lines.append((record.seq, at, fields["level"][:10], storable(fields["text"])))
            case "progress":
                self.progress = record.fields
            case "started":
                self.first_step = record.fields["step"]
                self.code_version = record.fields.get("code")  # journals of before have neither
                self.environment = record.fields.get("environment")
            case "data":
                self.data = record.fields["sources"]
            case "examples":
                self.examples = record.fields["parts"]
            case "contamination":
                self.contamination = record.fields["sources"]
            case "finished":
                self.finished = record.fields

    def _add_points(self, record: Record) -> None:
        for name, value in record.fields["values"].items():
            points = self.points.get(name)
            if points is None:
                points = self.points[name] = Points(record.seq, record.seq)
            points.last_seq = record.seq
            points.steps.append(record.fields["step"])
            points.times.append(record.time)
            points.values.append(value)


def storable(text: str) -> str:
    """The text without NUL characters and lone surrogates, which PostgreSQL refuses."""
    if text.isascii():
        return text.replace("\x00", "")
    return UNSTORABLE.sub("", text)


def storable_json(value: Any) -> Any:
    """The value with storable text, and null for numbers that JSON has no word for."""
    match value:
        case str():
            return storable(value)
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {storable(k): storable_json(v) for k, v in value.items()}
        case list():
            return [storable_json(v) for v in value]
        case _:
            return value


def _renamed(kind: type[Any], row: dict[str, Any]) -> dict[str, Any]:
    """The row with today's names of its fields; a row that has a field under both names keeps both, and is refused."""
    for old, new in RENAMED[kind].items():
        if old in row and new not in row:
            row = {new if name == old else name: value for name, value in row.items()}
    return row


def _columns(kind: type[Any], row: dict[str, Any]) -> list[Any]:
    """The values of a row of this TypedDict, in its order. Raises KeyError for one that is missing, or that it does not have."""
    row = _renamed(kind, row)
    if missing := kind.__required_keys__ - row.keys():
        raise KeyError(f"{kind.__name__} without {', '.join(sorted(missing))}")
    if unknown := row.keys() - kind.__annotations__.keys():
        raise KeyError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    columns: list[Any] = []
    for name in kind.__annotations__:
        value = row[name] if name in row else LEFT_OUT.get(name)
        if type(value) is str:
            value = storable(value)
        elif name in OF_TOKENS:  # held as a list, not as JSON
            value = value and storable_json(value)
        elif isinstance(value, dict | list):
            value = json.dumps(storable_json(value))
        columns.append(value)
    return columns
