"""The published data sets that recipes read from the data folder: their files, licences and where the hub has them (no torch)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class DataFile:
    """One file below the data folder, and the hub's files that it is made of, in order."""

    path: str
    parts: tuple[str, ...]
    format: Literal["as_it_is", "json_lines", "json_array", "text"] = "as_it_is"
    columns: tuple[str, ...] = ()  # that json_lines and json_array take, in this order
    rows: int | None = None  # there must be so many
    sha256: str | None = (
        None  # the file must have it; None: the hub's copy is not the published one byte by byte
    )


@dataclass(frozen=True)
class DataSet:
    """A data set by the name that `mulberry data fetch` takes."""

    name: str
    title: str
    licence: str
    hub: str
    files: tuple[DataFile, ...]
    kind: Literal["dataset", "model"] = "dataset"

    def missing(self, data_dir: Path) -> list[Path]:
        """Its files that are not there."""
        return [path for file in self.files if not (path := data_dir / file.path).is_file()]

    def size(self, data_dir: Path) -> int:
        """Bytes of its files that are there."""
        return sum(path.stat().st_size for file in self.files if (path := data_dir / file.path).is_file())


_SVAMP = ("ID", "Body", "Question", "Equation", "Answer", "Type")
_SPLIT = "data/{}-00000-of-00001.parquet"

DATA_SETS: Mapping[str, DataSet] = {
    one.name: one
    for one in (
        DataSet(
            "gsm8k",
            "GSM8K: 8,792 grade-school word problems",
            "MIT",
            "openai/gsm8k",
            tuple(
                DataFile(
                    f"gsm8k/{split}.jsonl", (f"main/{split}-00000-of-00001.parquet",), "json_lines",
                    ("question", "answer"), rows, sha256,
                )
                for split, rows, sha256 in (
                    ("train", 7_473, "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465"),
                    ("test", 1_319, "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14"),
                )
            ),
        ),
        DataSet(
            "svamp",
            "SVAMP: 1,000 word problems with one unknown",
            "MIT",
            "ChilleD/SVAMP",
            (
                DataFile(
                    "svamp/SVAMP.json", (_SPLIT.format("train"), _SPLIT.format("test")), "json_array", _SVAMP, 1_000
                ),
            ),
        ),
        DataSet(
            "gpt2",
            "GPT-2's byte-level BPE: 50,257 entries",
            "modified MIT",
            "openai-community/gpt2",
            (
                DataFile(
                    "gpt2/vocab.json", ("vocab.json",),
                    sha256="196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
                ),
                DataFile(
                    "gpt2/merges.txt", ("merges.txt",),
                    sha256="1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
                ),
            ),
            kind="model",
        ),
        DataSet(
            "hellaswag",
            "HellaSwag's validation set: 10,042 scenes with four endings",
            "MIT",
            "Rowan/hellaswag",
            (DataFile("hellaswag/validation.parquet", (_SPLIT.format("validation"),), rows=10_042),),
        ),
        DataSet(
            "tinyshakespeare",
            "Tiny Shakespeare: 1.1 MB of English text",
            "public domain",
            "karpathy/tiny_shakespeare",
            (
                DataFile(
                    "text/tinyshakespeare.txt",
                    tuple(_SPLIT.format(split) for split in ("train", "validation", "test")),
                    "text",
                    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ),
            ),
        ),
    )
}  # fmt: skip


def data_set_of(path: str) -> DataSet | None:
    """The data set that has a file, or lies in a folder, below the data folder; None where there is none."""
    for one in DATA_SETS.values():
        if any(file.path == path or file.path.startswith(f"{path}/") for file in one.files):
            return one
    return None


def how_to_get(path: str) -> str:
    """The command that gets a file or folder below the data folder, as a sentence's part; empty where there is none."""
    found = data_set_of(path)
    return f"get it by `mulberry data fetch {found.name}`, " if found else ""
