"""Devices by name, as far as a guess of how long something takes needs them (no torch).

Both figures are round. What decides is how much of the arithmetic a kind of stage uses (`utilisation` in its
settings): that was set so that the report's run comes out as reported, see tests/training/recipes/test_plan.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Hardware:
    """One device: its peak of dense arithmetic, and the least that a layer takes in a decoding step."""

    key: str
    name: str
    flops: float  # a second: bf16 tensor cores as published by NVIDIA; for a core 2 × 16 fp32 × 2 × 3 GHz
    # launching kernels, not arithmetic, bounds the decoding of small models on a GPU; where steps are not replayed
    # (training/sampling/replay.py: generate, a memory, abacus positions) it takes two to three times what is measured here
    layer_seconds: float

    @property
    def is_gpu(self) -> bool:
        """Whether its time counts as GPU hours."""
        return self.key != "cpu"


HARDWARE: Mapping[str, Hardware] = {
    one.key: one
    for one in (
        Hardware("cpu", "CPU core", 2e11, 0.3e-3),
        Hardware("rtx_4090", "RTX 4090", 165e12, 1.0e-3),
        Hardware("a100", "A100", 312e12, 1.0e-3),
        Hardware("h100", "H100", 989e12, 0.15e-3),  # as the H200
        Hardware("h200", "H200", 989e12, 0.15e-3),  # measured with 12 layers: docs/performance.md
    )
}
CONSUMER = "rtx_4090"  # what the report's GRPO ran on, and what is assumed where nothing is known


def named(gpu: str) -> Hardware | None:
    """The device that a driver calls so: "NVIDIA H100 80GB HBM3" is an H100; None for one that is not known here."""
    return next((one for one in HARDWARE.values() if one.is_gpu and one.name in gpu), None)
