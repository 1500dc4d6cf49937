"""A peer that takes connections and never says a word: what a hung broker or a network that swallows packets looks like."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def silent_peer() -> Iterator[int]:
    """The port of a socket on this machine whose connections are made by the kernel and never answered."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield int(listening.getsockname()[1])
