"""Python's garbage collector, kept away from modules, which live as long as their process."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_for_imports() -> Iterator[None]:
    """Import without it: it would go over all that there is, again and again, as objects come.

    What there is in the end is left out of every later collection; in a child its pages stay shared.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
