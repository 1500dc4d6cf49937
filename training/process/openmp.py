"""How the threads of OpenMP, by which torch computes on a CPU, wait for each other; known to GNU's libgomp alone."""

import os

SPINS = "1000"


def wait_briefly() -> None:
    """Let a thread that waits for another sleep soon; call this before torch is imported, which reads it.

    By default it turns in a loop for milliseconds. Where another process has the core of the thread that it waits for,
    as on a machine that also serves the dashboard, that is most of the stage's time. See GOMP_SPINCOUNT in libgomp's manual.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
