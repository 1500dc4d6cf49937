"""What a worker says of its machine."""

from pathlib import Path

import pytest

from workers import usage
from workers.usage import MIB

# Two lines of nvidia-smi, the second of a GPU that tells nothing of its use.
SAID = """0, GPU-5f1c9c1e-0000-4f6b-9d6e-aa0000000001, NVIDIA H100 80GB HBM3, 97, 12345, 81559
1, GPU-77aa9c1e-0000-4f6b-9d6e-aa0000000002, NVIDIA A100-SXM4-40GB, [N/A], [Not Supported], 40960
"""


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{SAID}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, ["NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-40GB"]),
        ("1,0", ["NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3"]),
        ("GPU-77aa", ["NVIDIA A100-SXM4-40GB"]),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus_are_those_that_training_sees(
    nvidia_smi: None, monkeypatch: pytest.MonkeyPatch, chosen: str | None, names: list[str]
) -> None:
    if chosen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert [gpu["name"] for gpu in usage.gpus()] == names


def test_figures_that_the_driver_does_not_tell_are_left_out(
    nvidia_smi: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    full, silent = usage.gpus()
    assert (full["used"], full["memory_used"], full["memory_total"]) == (0.97, 12345 * MIB, 81559 * MIB)
    assert (silent["used"], silent["memory_used"], silent["memory_total"]) == (None, None, 40960 * MIB)


def test_a_machine_without_gpus_has_cores_and_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = usage.sample(tmp_path)
    assert found["gpus"] == []
    assert found["cores"] >= 1
    assert 0 <= found["cpu"] <= 1
    assert 0 < found["memory_used"] < found["memory_total"]
    assert found["disk_free"] > 0
