"""Freed memory is used again, not asked for anew, in a process of its own."""

import subprocess
import sys

import pytest

LARGE_BUFFERS_AGAIN_AND_AGAIN = """
import resource, sys
from training.process import memory
if sys.argv[1] == "kept":
    memory.keep_what_is_freed()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(64 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.slow
def test_a_large_buffer_is_cleared_once_by_the_kernel() -> None:
    faults = {}
    for what in ("given back", "kept"):
        command = [sys.executable, "-c", LARGE_BUFFERS_AGAIN_AND_AGAIN, what]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        faults[what] = int(done.stdout)
    assert faults["kept"] < faults["given back"] / 5, faults
