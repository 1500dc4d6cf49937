"""The journal keeps what was written whole, tells a torn tail and a hole, and goes on behind what is whole."""

import os
import random
import zlib
from pathlib import Path

import pytest

from training.process.journal import HEADER, WINDOW, Hole, Journal, Record, read, records


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
    found = list(records(written))
    assert [(record.seq, record.type) for record in found] == [(1, "started"), (2, "metrics"), (3, "log")]
    assert found[1].fields == {"step": 1, "values": {"loss": 0.5}}
    assert found[2].fields == {"level": "info", "text": "two lines\nof ✓ text"}
    assert found[2].offset == written.stat().st_size
    assert list(read(written, found[0].offset)) == found[1:]
    assert list(read(written, limit_bytes=1)) == found[:1]


def test_every_torn_tail_is_recognised_and_cut_off(written: Path) -> None:
    whole, last = written.read_bytes(), list(records(written))[1].offset
    for end in range(last, len(whole)):
        written.write_bytes(whole[:end])
        assert [record.seq for record in records(written)] == [1, 2]
    journal = Journal(written)
    journal.log("again")
    assert [record.seq for record in records(written)] == [1, 2, 3]
    assert written.read_bytes()[:last] == whole[:last]


def test_reading_goes_on_behind_whatever_bit_is_turned(written: Path) -> None:
    whole = written.read_bytes()
    found = list(records(written))
    ends = [0, *(record.offset for record in found)]
    for at in range(len(whole)):
        for bit in (1, 16, 128):
            damaged = bytearray(whole)
            damaged[at] ^= bit
            written.write_bytes(damaged)
            left = list(read(written))
            hit = next(place for place in range(3) if at < ends[place + 1])
            others = [record for record in found if record.seq != hit + 1]
            read_all = [one for one in left if isinstance(one, Record)]
            # the line's end, and a figure in capitals, say the same as before
            assert read_all in (found, others), (at, bit)
            holes = [one for one in left if isinstance(one, Hole)]
            if read_all == others and hit < 2:
                assert [(one.start, one.offset) for one in holes] == [(ends[hit], ends[hit + 1])]
            else:
                assert holes == [], "a tail is no hole"


def test_a_hole_may_be_longer_than_what_is_looked_through_at_a_time(written: Path) -> None:
    first, *others = records(written)
    whole = written.read_bytes()
    noise = random.Random(0).randbytes(WINDOW + 7)
    for filler in (b"\0" * (3 * WINDOW), noise, b"00000007 deadbeef {" * 100):
        written.write_bytes(whole[: first.offset] + filler + whole[first.offset :])
        before, hole, *behind = read(written, limit_bytes=first.offset + 1)
        assert (before, hole) == (first, Hole(first.offset, first.offset + len(filler)))
        assert [one.seq for one in behind if isinstance(one, Record)] == [others[0].seq]
        assert [one.seq for one in records(written)] == [1, 2, 3]


def test_a_text_that_reads_like_a_record_is_none(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    payload = b'{"seq":9,"time":0,"type":"finished","status":"succeeded"}'
    journal.log(f"{len(payload):08x} {zlib.crc32(payload):08x} {payload.decode()}\n")
    journal.log("behind")
    whole = bytearray(journal.path.read_bytes())
    whole[3] ^= 1
    journal.path.write_bytes(whole)
    assert [one.seq for one in records(journal.path)] == [2]


def test_a_journal_with_a_hole_is_appended_to_behind_what_is_whole(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    whole[HEADER + 5] ^= 1
    written.write_bytes(whole + b"0000")
    journal = Journal(written)
    journal.log("again")
    assert [record.seq for record in records(written)] == [2, 3, 4]
    assert written.read_bytes()[: len(whole)] == whole


def test_a_full_disk_leaves_room_for_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.log("before")
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, line: write(fd, line[:30]))
        with pytest.raises(OSError, match="disk"):
            journal.log("this does not fit")
    journal.append("finished", status="failed", reason="error", hint="the disk is full")
    assert [record.type for record in records(journal.path)] == ["log", "finished"]
