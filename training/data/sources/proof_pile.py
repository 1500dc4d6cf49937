"""Proof-Pile: mathematical papers, books, forums and formal proofs."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from training.data.example import Example
from training.data.files import FilesSource, texts


class ProofPileSource(FilesSource):
    """Running text from column `text`."""

    source: Literal["proof_pile"]
    hub_name: ClassVar[str] = "hoskinson-center/proof-pile"
    seekable: ClassVar[bool] = True
    path: str = Field(
        "proof_pile", description="Folder or file of parquet or JSONL (also .jsonl.gz) with text"
    )


def examples(settings: ProofPileSource, *, seed: int, data_dir: Path, skip: int = 0) -> Iterator[Example]:
    """Yield the texts from the `skip`-th on; raises ValueError when there are no files."""
    return texts(settings, seed=seed, data_dir=data_dir, skip=skip)
