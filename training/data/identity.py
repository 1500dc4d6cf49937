"""Which data a stage learns from: name, revision, content hash and row count of each of its sources (no torch).

Equal identities mean equal examples for equal settings and seed: files count with their bytes, generated sources with
the version of their code and their settings, the hub with its commit.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypedDict

from training.data import files, rows
from training.data.files import FilesSource
from training.data_sets import how_to_get
from training.folders import SOURCE
from training.settings.source import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
GENERATED = "generated"
PATIENCE = 10.0  # seconds for the hub's answer


class DataIdentity(TypedDict):
    """One source of a stage."""

    path: str  # dotted path below the stage: data, steps.drills.data
    source: str
    version: int  # of the code that makes examples of it
    name: str  # hub name, path below the data folder, or GENERATED
    revision: str | None  # the hub's commit
    sha256: str
    rows: int | None  # None: endless, or the hub does not say


def of_mixtures(mixtures: Mapping[str, Sequence[Source]], data_dir: Path) -> list[DataIdentity]:
    """The identity of every source of a stage (StageSettings.mixtures()). Raises ValueError where files are missing.

    Reads whole files (gigabytes take seconds), once in a process as long as they do not change.
    """
    return [of_source(path, source, data_dir) for path, sources in mixtures.items() for source in sources]


def of_source(path: str, source: Source, data_dir: Path, *, count_rows: bool = True) -> DataIdentity:
    """The identity of one source; `path` says where the stage has it. Counting rows takes reading files once more."""
    name, revision, row_count = GENERATED, None, None
    hub = source.streams()
    if hub is not None:
        name, revision = hub, _commit(hub, source.revision if isinstance(source, FilesSource) else None)
        sha256 = hashlib.sha256(f"{hub}@{revision}".encode()).hexdigest()
        if isinstance(source, FilesSource) and count_rows:
            row_count = files.count_rows(source, data_dir=data_dir)
    elif found := files_of(source, data_dir):
        name = _common_name(found, data_dir)
        sha256 = _content(found, data_dir)
        if count_rows and source.has_rows:
            row_count = sum(map(rows.count, found))
    else:
        sha256 = hashlib.sha256(_settings(source).encode()).hexdigest()
    return {
        "path": path,
        "source": source.source,
        "version": source.version,
        "name": name,
        "revision": revision,
        "sha256": sha256,
        "rows": row_count,
    }


def digest(identities: Sequence[DataIdentity]) -> str:
    """One hash of all: a part of the stage's own identity."""
    kept = [{key: value for key, value in one.items() if key != "rows"} for one in identities]
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def files_of(source: Source, data_dir: Path) -> list[Path]:
    """Return the files that a source reads; none for a generated one. Raises ValueError where they are missing."""
    if isinstance(source, FilesSource):
        return files.files(source, data_dir=data_dir)
    found = [data_dir / place for place in source.reads()]
    for file in found:
        with rows.explained(file):
            is_file = file.is_file()
        if not is_file:
            how = how_to_get(_below(file, data_dir))
            raise ValueError(f"there is no {file}; {how}set MULBERRY_DATA to the data folder that holds it")
    return found


def _common_name(found: list[Path], data_dir: Path) -> str:
    """The one file, or the folder of all, below the data folder."""
    names = [_below(file, data_dir) for file in found]
    return names[0] if len(names) == 1 else names[0].partition("/")[0]


def _content(found: list[Path], data_dir: Path) -> str:
    """SHA-256 of the one file; of several, of what `sha256sum` would print for them."""
    digests = []
    for file in found:
        with rows.explained(file):
            stat = file.stat()
            digests.append((_of_file(file, stat.st_size, stat.st_mtime_ns), _below(file, data_dir)))
    if len(digests) == 1:
        return digests[0][0]
    listing = "".join(f"{sha256}  {name}\n" for sha256, name in digests)
    return hashlib.sha256(listing.encode()).hexdigest()


def _below(file: Path, data_dir: Path) -> str:
    return file.relative_to(data_dir).as_posix() if file.is_relative_to(data_dir) else file.name


@lru_cache(maxsize=1024)
def _of_file(file: Path, size: int, changed: int) -> str:
    """SHA-256 of a file's bytes; size and change time are there so that a changed file is read again."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _settings(source: Source) -> str:
    """What determines a generated source's examples, the weight in the mixture apart."""
    settings = source.model_dump(mode="json", exclude={"weight"})
    return json.dumps({**settings, "version": source.version}, sort_keys=True)


def of_model(place: str) -> str:
    """What stands for a checkpoint to start from: the hash of a folder's files, or a hub model's name and commit.

    Raises ValueError when the hub cannot be asked.
    """
    folder = SOURCE / place  # where training starts
    if folder.is_dir():
        return _content(sorted(file for file in folder.rglob("*") if file.is_file()), folder)
    return f"{place}@{_commit(place, None, kind='model')}"


def of_files(found: Sequence[Path], folder: Path) -> str:
    """SHA-256 of files below a folder. Raises ValueError where one is missing."""
    for file in found:
        if not file.is_file():
            raise ValueError(f"there is no {file}")
    return _content(list(found), folder)


def _commit(hub: str, revision: str | None, kind: Literal["dataset", "model"] = "dataset") -> str:
    """The commit that a revision of the hub's is now. Raises ValueError when the hub cannot be asked."""
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    import httpx2  # huggingface_hub's own
    from huggingface_hub import HfApi

    ask = HfApi().dataset_info if kind == "dataset" else HfApi().model_info
    try:
        commit = ask(hub, revision=revision, timeout=PATIENCE).sha
    except (OSError, httpx2.HTTPError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"cannot ask the hub for {hub}: {reason}; use local files, or try again") from None
    assert commit is not None
    return commit
