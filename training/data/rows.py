"""Rows of one data file, each with its place: JSON Lines (gzipped or not), one JSON list, or parquet (no torch).

A byte order mark, blank lines and CRLF are read over. Whatever else is wrong is a ValueError that names the file, the
line (in a list and in parquet: the row), and what to do.
"""

import codecs
import gzip
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count as numbers, islice
from pathlib import Path
from typing import IO, Any

ENDINGS = (".parquet", ".jsonl", ".jsonl.gz", ".json")
LONGEST_LINE = 1 << 24  # bytes: a file without line ends is not read into memory


class UnreadableError(OSError, ValueError):
    """The system does not let a file be read, for now or for good; the text names the file."""


class Row(dict[str, Any]):
    """The columns of one row, which knows where it stands. Its methods raise ValueError with that place."""

    __slots__ = ("index", "source", "unit")

    def __init__(self, columns: dict[str, Any], source: Path | str, unit: str, index: int) -> None:
        super().__init__(columns)
        self.source, self.unit, self.index = source, unit, index

    @property
    def place(self) -> str:
        """`/data/gsm8k/test.jsonl, line 12`."""
        return f"{self.source}, {self.unit} {self.index}"

    def column(self, name: str) -> Any:
        """Return the value of a column that every row has."""
        if name not in self:
            raise ValueError(
                f"{self.place} has no {name!r} but {', '.join(sorted(self)) or 'nothing'}; "
                "give the file in the published format"
            )
        return self[name]

    def text(self, name: str) -> str:
        """Return a column that holds text."""
        value = self.column(name)
        if not isinstance(value, str):
            raise self.error(name, value, "text")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise self.error(name, value, "whole Unicode characters") from None
        return value

    def number(self, name: str) -> float:
        """Return a column that holds a finite number, as a number or as text."""
        value = self.column(name)
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise self.error(name, value, "a number")
        return number

    def error(self, name: str, value: Any, wanted: str) -> ValueError:
        """Return the error for a column whose value is not what it must be."""
        return ValueError(
            f"{self.place}: {name!r} is {_short(value)}, not {wanted}; correct the row, or take it out"
        )


def read(file: Path, start: int, columns: list[str]) -> Iterator[Row]:
    """Yield the rows of one file from number `start` (0 is the first) on.

    Of parquet only `columns` are read. Raises ValueError where the file is broken.
    """
    if file.suffix.lower() == ".parquet":
        yield from _read_parquet(file, start, columns)
    elif file.suffix.lower() == ".json":
        for number, item in enumerate(_list(file)[start:], start + 1):
            yield Row(_columns(item, f"{file}, row {number}"), file, "row", number)
    else:
        for number, line in islice(_lines(file), start, None):
            yield Row(_columns(_parsed(file, number, line), f"{file}, line {number}"), file, "line", number)


def count(file: Path) -> int:
    """Return the number of rows of a file: parquet says it, lines are counted without parsing them."""
    if file.suffix.lower() == ".parquet":
        return int(_parquet(file).metadata.num_rows)
    if file.suffix.lower() == ".json":
        return len(_list(file))
    return sum(1 for _ in _lines(file))


def whole(file: Path, columns: list[str]) -> tuple[Row, ...]:
    """Return all rows of a small file, which stay in memory until it changes. Raises ValueError when there is none."""
    with explained(file):
        stat = file.stat()
    found = _whole(file, tuple(columns), stat.st_size, stat.st_mtime_ns)
    if not found:
        raise ValueError(f"{file} is empty: it holds no problem; get the file again")
    return found


@lru_cache(maxsize=8)  # the gallery looks at it for every recipe; a changed file is read again
def _whole(file: Path, columns: tuple[str, ...], size: int, changed: int) -> tuple[Row, ...]:
    return tuple(read(file, 0, list(columns)))


def text(file: Path) -> str:
    """Return the text of a UTF-8 file, without its byte order mark and with \\n at the ends of lines.

    Raises ValueError that names the file.
    """
    with explained(file):
        content = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{file}, line {line} is not UTF-8; save the file as UTF-8") from None


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """Name the file in what the system, or the decompression, says about it; of a pipe or a device nothing is read."""
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):  # to open a pipe would wait for good
            raise UnreadableError(f"{file} is no file but a pipe, a socket or a device; put the file there")
        yield
    except UnreadableError:
        raise
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise ValueError(f"{file} is not a whole gzip file; get it again") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableError(f"{file} cannot be read ({reason}); see its permissions and its disk") from None


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, each with its number from 1."""
    with explained(file), _opened(file) as content:
        for number in numbers(1):
            line = content.readline(LONGEST_LINE + 1)
            if not line:
                return
            if len(line) > LONGEST_LINE:
                raise ValueError(
                    f"{file}, line {number} has more than {LONGEST_LINE >> 20} MiB; write one row a line"
                )
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if line.strip():
                yield number, line


def _opened(file: Path) -> IO[bytes] | gzip.GzipFile:
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rb")
    return file.open("rb")


def _parsed(file: Path, number: int, line: bytes) -> Any:
    place = f"{file}, line {number}"
    try:
        return json.loads(line.decode())
    except UnicodeDecodeError:
        raise ValueError(f"{place} is not UTF-8; save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:
        if number == 1 and line.lstrip().startswith(b"["):
            raise ValueError(
                f"{place} begins a list; write one row a line, without a list around them"
            ) from None
        raise ValueError(f"{place} is not JSON ({_why(error)}); correct it, or get the file again") from None


def _list(file: Path) -> list[Any]:
    written = text(file)
    if not written.strip():
        return []
    try:
        found = json.loads(written)
    except (ValueError, RecursionError) as error:
        place = f"{file}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else str(file)
        raise ValueError(
            f"{place} is not JSON ({_why(error)}); a .json file holds one list of rows, and a file with one row a "
            "line is called .jsonl"
        ) from None
    if not isinstance(found, list):
        raise ValueError(f"{file} holds no list of rows; give JSONL or parquet")
    return found


def _columns(found: Any, place: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{place} is {_short(found)}, not a mapping of columns; write one JSON object a row")
    return found


def _why(error: ValueError | RecursionError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at character {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)


def _short(value: Any) -> str:
    """A value as a message shows it."""
    match value:
        case None:
            return "null"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    written = json.dumps(value, default=str)
    return written if len(written) <= 40 else f"{written[:40]}…"


def _read_parquet(file: Path, start: int, columns: list[str]) -> Iterator[Row]:
    parquet = _parquet(file)
    known = [name for name in columns if name in parquet.schema_arrow.names]
    groups: list[int] = []
    number = 1
    for group in range(parquet.metadata.num_row_groups):
        size = parquet.metadata.row_group(group).num_rows
        if not groups and start >= size:
            start -= size  # a whole group is passed over unread
            number += size
        else:
            groups.append(group)
    with _whole_parquet(file):
        for batch in parquet.iter_batches(batch_size=256, row_groups=groups, columns=known or None):
            number += min(start, batch.num_rows)
            for columns_ in batch.slice(start).to_pylist():
                yield Row(columns_, file, "row", number)
                number += 1
            start = max(0, start - batch.num_rows)


def _parquet(file: Path) -> Any:
    import pyarrow.parquet  # as heavy as datasets

    with _whole_parquet(file):
        return pyarrow.parquet.ParquetFile(file)


@contextmanager
def _whole_parquet(file: Path) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (PermissionError, IsADirectoryError) as error:
        raise UnreadableError(f"{file} cannot be read ({error.strerror}); see its permissions") from None
    except (pyarrow.ArrowException, OSError):
        raise ValueError(f"{file} is not a whole parquet file; get it again") from None
