"""A database that may be out of reach, or read-only for a while: what that raises, and leaving a broken connection."""

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection

# InternalError: a transaction that may not write (SQLSTATE 25006), as during a failover or on a managed disk that is full
GONE = (OperationalError, InterfaceError, InternalError)


def close_quietly() -> None:
    """Drop this thread's connection, which may be broken in the middle of a transaction."""
    try:
        connection.close()
    except DatabaseError:
        connection.connection = None
