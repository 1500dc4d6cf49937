"""Answers on disk, found by what was asked: nothing is computed or paid twice, in this run or in another (no torch).

One JSON file an answer, written whole or not at all. What is being asked is claimed, so that two runs side by side do
not both pay for it; a claim ends with its process.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4


def key_of(asked: dict[str, Any]) -> str:
    """SHA-256 of a question with everything that determines its answer, in hex."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Cache:
    """A folder of answers that runs share."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        # one file for all claims: a claim is a lock on the byte that the key names
        self._claims = os.open(folder / "claims", os.O_RDWR | os.O_CREAT, 0o644)

    def get(self, asked: dict[str, Any]) -> Any:
        """The answer to a question; None where there is none, or a broken file."""
        try:
            return json.loads(self._path(key_of(asked)).read_text(encoding="utf-8"))["answer"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, asked: dict[str, Any], answer: Any) -> None:
        """Keep an answer."""
        path = self._path(key_of(asked))
        path.parent.mkdir(exist_ok=True)
        aside = path.with_name(f".{uuid4().hex}")
        text = json.dumps({"asked": asked, "answer": answer}, ensure_ascii=False)
        try:
            aside.write_text(text, encoding="utf-8", errors="replace")
            aside.rename(path)
        finally:
            aside.unlink(missing_ok=True)

    def claim(self, asked: dict[str, Any]) -> bool:
        """Take a question for this process to ask; False while another process has it."""
        try:
            fcntl.lockf(self._claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(asked))
        except (BlockingIOError, PermissionError):
            return False
        return True

    def release(self, asked: dict[str, Any]) -> None:
        """Give a claimed question back."""
        fcntl.lockf(self._claims, fcntl.LOCK_UN, 1, _byte(asked))

    def close(self) -> None:
        """Give everything back."""
        os.close(self._claims)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _byte(asked: dict[str, Any]) -> int:
    return int(key_of(asked)[:15], 16)
