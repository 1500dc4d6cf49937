"""Whether the PostgreSQL and the broker that `make test-services` is told to use can be reached.

    python -m tests.services

Prints a line for each that cannot, and fails then.
"""

import os
import sys
from collections.abc import Iterator

import psycopg
from kombu import Connection
from kombu.exceptions import OperationalError as BrokerError

OLDEST = 150_000  # PostgreSQL's version number


def problems() -> Iterator[str]:
    """A line for each service that is not there."""
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5) as database:
            if database.info.server_version < OLDEST:
                yield f"PostgreSQL is {database.info.server_version // 10_000}; it must be 15 or newer"
            allowed = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            if database.execute(allowed).fetchone() != (True,):
                yield f"{database.info.user} may not create the tests' database; ALTER ROLE … CREATEDB"
    except psycopg.OperationalError as error:
        yield f"PostgreSQL cannot be reached ({_line(error)}); start it, or set DATABASE_URL"
    broker = Connection(os.environ["CELERY_BROKER_URL"], connect_timeout=5)
    try:
        with broker:
            broker.ensure_connection(max_retries=1, timeout=5)
    except (BrokerError, *broker.connection_errors, *broker.channel_errors) as error:
        yield f"the broker cannot be reached ({_line(error)}); start RabbitMQ, or set CELERY_BROKER_URL"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    found = list(problems())
    for problem in found:
        print(f"make test-services: {problem}", file=sys.stderr)
    sys.exit(bool(found))
