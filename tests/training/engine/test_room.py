"""A checkpoint waits for room on the disk, and does not wait for ever."""

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training.engine import room
from training.process import disk
from training.process.journal import Journal, records

Disk = namedtuple("Disk", "total used free")
MEGABYTE = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """As much of a run as room asks for."""
    journal = Journal(tmp_path / "journal")
    return SimpleNamespace(checkpoints=tmp_path / "storage", journal=journal, own_stop_reason=lambda: None)


def frees(monkeypatch: pytest.MonkeyPatch, *megabytes: int) -> None:
    """Let a disk of 10 GB, of which 200 MB are kept in reserve, have so much free at each look."""
    looks = iter(megabytes)
    monkeypatch.setattr(
        disk.shutil, "disk_usage", lambda _: Disk(10_000 * MEGABYTE, 0, next(looks) * MEGABYTE)
    )


def test_it_waits_until_the_reserve_and_what_is_saved_fit(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LOOK", 0.0)
    frees(monkeypatch, 250, 299, 300)
    room.wait(run, 100 * MEGABYTE)
    said = [(one.fields["level"], one.fields["text"]) for one in records(run.journal.path)]
    assert said == [
        (
            "warning",
            f"waiting to save a checkpoint: the disk under {run.checkpoints.parent} is full: 250 MB are free, 100 MB are to be "
            "written, 200 MB are kept in reserve; free some space, and it goes on by itself",
        ),
        ("info", "there is room again"),
    ]


@pytest.mark.parametrize("why", ["patience", "told to stop"])
def test_it_gives_up_with_the_same_text(run: Any, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    frees(monkeypatch, 250)
    if why == "patience":
        monkeypatch.setattr(room, "PATIENCE", -1.0)
    else:
        run.own_stop_reason = lambda: "terminated"
    with pytest.raises(disk.DiskFull, match="is full: 250 MB are free") as raised:
        room.wait(run, 100 * MEGABYTE)
    assert disk.is_host_fault(raised.value)


def test_a_checkpoint_to_resume_from_is_three_times_as_large_as_its_weights() -> None:
    layer = torch.nn.Linear(10, 20)
    assert room.of_weights(layer) == 4 * 220
    assert room.of_weights(layer, room.STATES) == 3 * 4 * 220
