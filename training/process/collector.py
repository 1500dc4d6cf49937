"""Python's garbage collector, kept away from modules, which live as long as their process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_for_imports() -> Iterator[None]:
    """Turn automatic collection off while modules load: each pass would go through everything that is loaded so far.

    What is loaded in the end is left out of every later collection, so that a forked child shares its pages.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
