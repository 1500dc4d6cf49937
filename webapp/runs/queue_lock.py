"""The lock of a queue: claims share it; pausing, draining and moving hold it alone.

A claim reads whether its queue is paused as of the beginning of its statement. With the lock, a pause waits until the
claims under way are done, and a claim that comes later sees the pause: when a pause returns, nothing starts any more.
"""

from django.db import connection

LOCK = 0x6D756C71  # "mulq"


def share(queue: str) -> None:
    """Hold it together with other claims until the transaction ends."""
    _take("pg_advisory_xact_lock_shared", queue)


def hold(queue: str) -> None:
    """Hold it alone until the transaction ends; waits for claims under way."""
    _take("pg_advisory_xact_lock", queue)


def _take(function: str, queue: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, hashtext(%s))", [LOCK, queue])
