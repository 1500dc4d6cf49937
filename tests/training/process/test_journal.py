"""The journal keeps what was written whole, tells a torn tail, and goes on behind what is whole."""

import os
from pathlib import Path

import pytest

from training.process.journal import HEADER, Journal, read


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A journal of three records."""
    journal = Journal(tmp_path / "journal")
    journal.append("started", attempt=1, step=0, pid=1)
    journal.metrics(1, {"loss": 0.5})
    journal.log("two lines\nof ✓ text")
    journal.close()
    return journal.path


def test_records_come_back_as_they_were_written(written: Path) -> None:
    records = list(read(written))
    assert [(record.seq, record.type) for record in records] == [(1, "started"), (2, "metrics"), (3, "log")]
    assert records[1].fields == {"step": 1, "values": {"loss": 0.5}}
    assert records[2].fields == {"level": "info", "text": "two lines\nof ✓ text"}
    assert records[2].offset == written.stat().st_size
    assert list(read(written, records[0].offset)) == records[1:]
    assert list(read(written, limit_bytes=1)) == records[:1]


def test_every_torn_tail_is_recognised_and_cut_off(written: Path) -> None:
    whole, last = written.read_bytes(), list(read(written))[1].offset
    for end in range(last, len(whole)):
        written.write_bytes(whole[:end])
        assert [record.seq for record in read(written)] == [1, 2]
    journal = Journal(written)
    journal.log("again")
    assert [record.seq for record in read(written)] == [1, 2, 3]
    assert written.read_bytes()[:last] == whole[:last]


def test_a_changed_byte_is_recognised(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    whole[next(read(written)).offset + HEADER + 5] ^= 1
    written.write_bytes(whole)
    assert [record.seq for record in read(written)] == [1]


def test_a_full_disk_leaves_room_for_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.log("before")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, line: write(fd, line[:30]))
        with pytest.raises(OSError, match="disk"):
            journal.log("this does not fit")
    journal.append("finished", status="failed", reason="error", hint="the disk is full")
    assert [record.type for record in read(journal.path)] == ["log", "finished"]
