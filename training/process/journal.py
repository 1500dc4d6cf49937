"""The journal: one append-only file per attempt, typed records, one write() each; append and tail.

A record is one line: eight hex digits of the payload's length, a space, eight of its CRC-32, a space, the
payload (JSON: seq, time, type and the type's own fields), a newline. What cannot be read is a hole where a whole record stands
behind it, and a torn tail where none does; the tail is cut off when the file is opened for appending again. Records and their fields:

    started     {attempt, step, pid, code, environment}    step: where this attempt resumes (0: from scratch)
    data        {sources: [DataIdentity fields]}           what the stage learns from; see data/identity.py
    examples    {parts: [KeptExamples fields]}             which were kept, and what is learnt; see data/kept.py
    contamination {sources: [Contamination fields]}        see ContaminationRow; a later one has all of it
    metrics     {step, values: {name: number}}
    rollouts    {step, rows: [Rollout fields]}             see RolloutRow
    evaluation  {evaluation, benchmark, step, problems, settings}   announces; evaluation is its key
    outcomes    {evaluation, rows: [Outcome fields]}       see OutcomeRow
    progress    {done, total, unit, phase}                 phase: PREPARING, a part of the training, or a benchmark
    log         {level, text}
    checkpoint  {step, path, final, manifest_sha256, bytes}
    finished    {status: succeeded|failed|stopped, reason, hint}
"""

import json
import os
import re
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NotRequired, TypedDict

RecordType = Literal[
    "started",
    "data",
    "examples",
    "contamination",
    "metrics",
    "rollouts",
    "evaluation",
    "outcomes",
    "progress",
    "log",
    "checkpoint",
    "finished",
]
PREPARING = (
    "preparing data"  # the phase of progress before training; then the trainer's, then a benchmark's name
)
HEADER = 18  # "LLLLLLLL CCCCCCCC "
BEGINNING = re.compile(rb"[0-9a-f]{8} [0-9a-f]{8} \{")  # of a record
WINDOW = 1 << 20  # bytes that are looked through at a time for the record behind a hole


class RolloutRow(TypedDict):
    """One sampled completion: of GRPO, of a teacher, of rejection sampling."""

    group: int  # number of the prompt's group, counted through the stage
    prompt: str
    completion: str
    reference: str  # the right final answer
    final_answer: str | None  # what was read from the completion
    tokens: int
    reward: float
    components: dict[str, float]
    advantage: float | None  # None where nothing of the kind is computed
    correct: bool
    mul_tokens: int
    repeats: bool
    hit_limit: bool
    pieces: NotRequired[list[str]]  # the text of each token, where probabilities are recorded
    logprobs: NotRequired[list[float]]  # the sampler's, of each token
    trainer_logprobs: NotRequired[list[float]]  # the policy's by the trainer, with the weights that sampled
    entropies: NotRequired[list[float]]  # of what each token was drawn from, by the trainer, in nats
    learnt: NotRequired[list[bool]]  # whether the loss counts it; left out where each pass decides that


OF_TOKENS = ("pieces", "logprobs", "trainer_logprobs", "entropies", "learnt")  # columns with an entry a token


class OutcomeRow(TypedDict):
    """One completion of a problem's prompt in an evaluation."""

    problem: str  # stable id within the benchmark: what pairs are formed by
    prompt: str
    completion: str
    reference: str
    final_answer: str | None
    tokens: int
    correct: bool
    mul_tokens: int
    repeats: bool
    hit_limit: bool
    labels: NotRequired[list[str]]  # groups of problems that it belongs to
    steps_written: NotRequired[int]  # equations in the completion, and those that are right
    steps_right: NotRequired[int]
    answer_rule: NotRequired[str]  # how the final answer was found: one of training.text.answers.RULES
    sample: NotRequired[int]  # from 1: drawn at a temperature; left out or 0: the greedy completion


CONTAMINATION_SECONDS = 60.0  # of looking for problems of benchmarks, in one attempt of a stage


class FoundProblem(TypedDict):
    """A problem that a training text holds."""

    problem: str  # its id
    exact: bool  # word for word; else 13 words in a row, numbers masked
    text: str  # the beginning of the first such text


class ContaminationRow(TypedDict):
    """What was found of one benchmark's problems in one source of a stage."""

    path: str  # of the mixture in the stage's settings, as in DataIdentity
    source: str
    sha256: str  # of the source, as in DataIdentity
    benchmark: str
    problems: int  # that were looked for
    texts: int  # that the stage drew from the source
    looked_at: int  # of those; fewer where the time was used up
    exact: int  # problems that stand in a text word for word
    overlapping: int  # others that share 13 words in a row with a text, numbers masked
    taught: int  # exact ones that training is meant to hold: they count in neither number
    found: list[FoundProblem]  # the exact ones first; not more than training.benchmarks.contamination.LISTED


LEFT_OUT = {"sample": 0}  # what a column that may be left out then means, where that is not null
# Names that fields had in journals, and in files of rounds, that were written before they were renamed: old → new.
RENAMED: dict[type[Any], dict[str, str]] = {
    RolloutRow: {"answer": "final_answer"},
    OutcomeRow: {"response": "completion", "answer": "final_answer"},
}


@dataclass(frozen=True)
class Record:
    """One record as read back; offset is the byte after it."""

    seq: int
    time: float  # seconds since the epoch, the writer's clock
    type: RecordType
    fields: dict[str, Any]
    offset: int


@dataclass(frozen=True)
class Hole:
    """Bytes that cannot be read, with a whole record behind them, or a record that is missing (start and offset are the same)."""

    start: int
    offset: int  # of that record


class Journal:
    """Appends records to one file; the writer is the only one."""

    def __init__(self, path: Path) -> None:
        end, seq = 0, 0
        if path.exists():
            for one in read(path):
                end = one.offset
                if isinstance(one, Record):
                    seq = one.seq
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._fd, end)  # a torn tail of a killed writer
        self.path = path
        self.seq = seq

    def append(self, type_: RecordType, **fields: Any) -> None:
        """Write one record with one write(); it survives the death of this process."""
        self.seq += 1
        record = {"seq": self.seq, "time": time.time(), "type": type_, **fields}
        payload = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        line = b"%08x %08x %b\n" % (len(payload), zlib.crc32(payload), payload)
        written = os.write(self._fd, line)
        if written != len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            self.seq -= 1  # nothing is missing before what is written next
            raise OSError(f"the disk under {self.path} is full: {written} of {len(line)} bytes written")

    def metrics(self, step: int, values: dict[str, float]) -> None:
        """Append one step's metric values."""
        self.append("metrics", step=step, values=values)

    def progress(self, done: int, total: int, unit: str, phase: str) -> None:
        """Append how far the stage is, in units of the phase (steps, problems)."""
        self.append("progress", done=done, total=total, unit=unit, phase=phase)

    def log(self, text: str, level: str = "info") -> None:
        """Append one line for the log."""
        self.append("log", level=level, text=text)

    def close(self) -> None:
        """Flush to disk and close."""
        os.fsync(self._fd)
        os.close(self._fd)


class Silent(Journal):
    """What a process other than the first writes to: nothing is kept."""

    def __init__(self) -> None:
        pass

    def append(self, type_: RecordType, **fields: Any) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """There is nothing to close."""


def read(path: Path, offset: int = 0, limit_bytes: int | None = None) -> Iterator[Record | Hole]:
    """Yield the whole records from byte `offset` on, at most about `limit_bytes`, and the holes between them.

    Stops before a torn tail, which may be a record that is being written. Whether a record is missing without a trace is
    said by `seq`, which counts on by one.
    """
    with path.open("rb") as file:
        file.seek(offset)
        start = offset
        while limit_bytes is None or offset - start < limit_bytes:
            record = _record(file, offset)
            if record is None:
                behind = _next_record(file, offset)
                if behind is None:
                    return
                file.seek(offset)
                record = _record(file, offset)  # it may have been half written at the first look
                if record is None:
                    yield Hole(offset, behind)
                    start += behind - offset  # of these bytes nothing is held in memory
                    offset = file.seek(behind)
                    continue
            offset = record.offset
            yield record


def records(path: Path, offset: int = 0) -> Iterator[Record]:
    """Yield the whole records from byte `offset` on, whatever is between them."""
    return (one for one in read(path, offset) if isinstance(one, Record))


def _record(file: BinaryIO, offset: int) -> Record | None:
    """The record at the file's position, which is byte `offset`; None when it is not whole."""
    header = file.read(HEADER)
    if len(header) < HEADER:
        return None
    try:
        length, checksum = int(header[:8], 16), int(header[9:17], 16)
    except ValueError:
        return None
    payload = file.read(length + 1)
    if len(payload) < length + 1 or zlib.crc32(payload[:length]) != checksum:
        return None
    try:
        fields = json.loads(payload[:length])
        return Record(
            fields.pop("seq"), fields.pop("time"), fields.pop("type"), fields, offset + HEADER + length + 1
        )
    except (ValueError, AttributeError, KeyError):  # a checksum that fits by chance
        return None


def _next_record(file: BinaryIO, offset: int) -> int | None:
    """The byte at which the first whole record behind `offset` begins; None when there is none.

    A text within a record cannot be taken for one: its quotation marks are escaped.
    """
    at = offset + 1
    while True:
        file.seek(at)
        window = file.read(WINDOW + HEADER)
        for found in BEGINNING.finditer(window):
            place = at + found.start()
            file.seek(place)
            if _record(file, place) is not None:
                return place
        if len(window) <= HEADER:
            return None
        at += len(window) - HEADER
