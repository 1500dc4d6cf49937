"""What a queue may be called: one rule for recipes and for workers (no torch)."""

import re

DEFAULT = "default"
LONGEST = 100  # characters
NAME = re.compile(r"[\w.-]*\w[\w.-]*")


def check_queue_name(name: str) -> str:
    """Return the name. Raises ValueError that says how queues are called."""
    if not NAME.fullmatch(name) or len(name) > LONGEST:
        raise ValueError(
            f"{name[:LONGEST]!r} is no name of a queue: use letters, digits, _, - and ., at most {LONGEST} of them"
        )
    return name
