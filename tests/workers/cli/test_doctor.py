"""What the doctor says of devices: the slots that a worker started here would have."""

import pytest

from workers import devices
from workers.cli import doctor


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(devices, "cores", lambda: 4)


def said() -> tuple[bool, str]:
    (check,) = [one for one in doctor._work() if one.name == "devices"]
    return check.good, check.text


def test_it_counts_slots_as_a_worker_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said() == (True, "cpu:0, cpu:1, cpu:2, cpu:3")
    monkeypatch.setenv("MULBERRY_SLOTS", "2")
    assert said() == (True, "cpu:0, cpu:1")
    monkeypatch.setenv("MULBERRY_SLOTS", "")
    monkeypatch.setenv("MULBERRY_DEVICES_PER_SLOT", "2")
    assert said() == (True, "cpu:0-1, cpu:2-3")


@pytest.mark.parametrize("name", ["MULBERRY_SLOTS", "MULBERRY_DEVICES_PER_SLOT"])
def test_a_bad_number_is_a_problem(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "many")
    assert said() == (False, f"{name} is 'many'; give a number, 1 or more")


def test_more_devices_than_there_are_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("MULBERRY_DEVICES_PER_SLOT", "4")
    good, text = said()
    assert not good
    assert "this machine shows 2 GPUs" in text
