"""Slots are found without torch, and each is held by one thread at a time."""

import threading

import pytest

from workers import devices as module
from workers.devices import Device, Slots, devices


def test_a_slot_for_each_core_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(module, "cores", lambda: 4)
    assert devices() == [Device(f"cpu:{i}", "cpu", 1) for i in range(4)]
    assert devices(2) == [Device("cpu:0", "cpu", 2), Device("cpu:1", "cpu", 2)]


def test_a_slot_for_each_visible_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setattr(module, "cores", lambda: 8)
    assert devices() == [Device("cuda:0", "cuda:0", 4), Device("cuda:1", "cuda:1", 4)]
    assert [d.torch for d in devices(3)] == ["cuda:0", "cuda:1", "cuda:0"]


def test_a_slot_of_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 16)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert devices(per_slot=4) == [Device("cuda:0-3", "cuda:0,1,2,3", 4, 4)]
    assert devices(per_slot=2) == [
        Device("cuda:0-1", "cuda:0,1", 4, 2),
        Device("cuda:2-3", "cuda:2,3", 4, 2),
    ]
    assert [d.torch for d in devices(3, per_slot=2)] == ["cuda:0,1", "cuda:2,3", "cuda:0,1"]
    assert [d.torch for d in devices(per_slot=3)] == ["cuda:0,1,2"]  # the fourth stays idle
    with pytest.raises(ValueError, match="--devices-per-slot 4 or less"):
        devices(per_slot=8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices(1, per_slot=2) == [Device("cpu:0-1", "cpu", 8, 2)]
    assert len(devices(per_slot=5)) == 3


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("0", 1), ("GPU-ab, GPU-cd", 2)])
def test_visible_devices_are_counted(monkeypatch: pytest.MonkeyPatch, visible: str, count: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert module.cuda_devices() == count


def test_a_taken_slot_waits_for_its_return() -> None:
    slots = Slots([Device("cpu:0", "cpu", 1)])
    got = threading.Event()

    def second() -> None:
        with slots.taken():
            got.set()

    thread = threading.Thread(target=second)
    with slots.taken() as device:
        assert device.name == "cpu:0"
        thread.start()
        assert not got.wait(0.2)
    assert got.wait(10)
    thread.join()
