"""Getting a data set of the catalogue from the Hugging Face hub, checked, and in place only when it is whole."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2  # huggingface_hub's own
import pyarrow
import pyarrow.parquet
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError

from training.data_sets import DataFile, DataSet

ORIGIN = "ORIGIN.md"  # left beside the files
PATIENCE = 30.0  # seconds for the hub's answer to what it has


def fetch(data_set: DataSet, data_dir: Path, say: Callable[[str], None]) -> list[Path]:
    """Download a data set's files into the data folder; return their paths. What is there is replaced.

    Raises ValueError that says what went wrong and what to do; then nothing in the data folder has changed but for
    files of the set that were whole before.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".fetch-", dir=data_dir))
    except OSError as error:
        raise ValueError(
            f"{data_dir} cannot be written ({error.strerror}); set MULBERRY_DATA to a folder that can"
        ) from None
    try:
        commit = _commit(data_set)
        say(f"{data_set.title}; licence: {data_set.licence}; from {data_set.hub} at {commit[:12]}")
        made = [(file, _made(data_set, file, commit, work)) for file in data_set.files]
        return [_in_place(data_set, file, found, commit, data_dir) for file, found in made]
    finally:
        shutil.rmtree(work)


def _commit(data_set: DataSet) -> str:
    """The hub's newest commit of the set: all of its files are taken from that one."""
    try:
        commit = HfApi().repo_info(data_set.hub, repo_type=data_set.kind, timeout=PATIENCE).sha
    except (OSError, httpx2.HTTPError) as error:
        raise _unreachable(data_set, error) from None
    assert commit is not None
    return commit


def _made(data_set: DataSet, file: DataFile, commit: str, work: Path) -> Path:
    """The file in the working folder, as it goes into the data folder. Raises ValueError where it is not right."""
    try:
        parts = [
            Path(
                hf_hub_download(
                    data_set.hub, part, repo_type=data_set.kind, revision=commit, local_dir=work / "hub"
                )
            )
            for part in file.parts
        ]
    except (OSError, HfHubHTTPError, httpx2.HTTPError) as error:
        raise _unreachable(data_set, error) from None
    made = work / file.path
    made.parent.mkdir(parents=True, exist_ok=True)
    if file.format == "as_it_is":
        shutil.move(parts[0], made)
        rows = None if file.rows is None else _parquet(made).num_rows
    else:
        taken = [row for part in parts for row in _rows(part)]
        made.write_bytes(_written(data_set, file, taken).encode())
        rows = len(taken)
    if file.rows is not None and rows != file.rows:
        raise ValueError(_not_right(data_set, f"{file.path} has {rows} rows instead of {file.rows}"))
    if file.sha256 is not None and _sha256(made) != file.sha256:
        raise ValueError(_not_right(data_set, f"{file.path} is not the published file (its SHA-256 differs)"))
    return made


def _rows(part: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = _parquet(part).to_pylist()
    return rows


def _parquet(part: Path) -> Any:
    try:
        return pyarrow.parquet.read_table(part)
    except pyarrow.ArrowInvalid:
        raise ValueError(f"the hub's {part.name} is not a whole parquet file; try again") from None


def _written(data_set: DataSet, file: DataFile, rows: list[dict[str, Any]]) -> str:
    """The rows as the published file has them."""
    columns = ("text",) if file.format == "text" else file.columns
    if missing := [name for name in columns if rows and name not in rows[0]]:
        raise ValueError(_not_right(data_set, f"its rows have no column {missing[0]!r}"))
    if file.format == "text":
        return "".join(row["text"] for row in rows)
    taken = [{name: row[name] for name in columns} for row in rows]
    if file.format == "json_lines":
        return "".join(f"{json.dumps(row)}\n" for row in taken)
    for row in taken:
        row["Answer"] = float(row["Answer"])  # published as numbers
    taken.sort(key=lambda row: int(row["ID"].rpartition("-")[2]))  # as published; the hub has split them
    return json.dumps(taken, indent=4)


def _in_place(data_set: DataSet, file: DataFile, made: Path, commit: str, data_dir: Path) -> Path:
    """Move a file to where recipes read it, whole or not at all, and leave word of where it comes from."""
    target = data_dir / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    made.replace(target)
    kind = "" if data_set.kind == "model" else "datasets/"
    origin = f"{data_set.title}. Licence: {data_set.licence}. From https://huggingface.co/{kind}{data_set.hub} at {commit}.\n"
    (target.parent / ORIGIN).write_text(origin, encoding="utf-8")
    return target


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _unreachable(data_set: DataSet, error: Exception) -> ValueError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    names = " and ".join(file.path for file in data_set.files)
    return ValueError(
        f"cannot get {data_set.name} from the hub: {reason}; try again, or put {names} into the data folder yourself"
    )


def _not_right(data_set: DataSet, what: str) -> str:
    return (
        f"{data_set.hub} on the hub is not what was published as {data_set.name}: {what}; nothing was changed"
    )
