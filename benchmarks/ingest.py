"""Points/s and rollouts/s from a journal into PostgreSQL: ingest against plain INSERTs a row, in one run.

    python -m benchmarks.ingest [--steps 20000] [--rollouts 20000]

Both read the same journals and commit as often, with the journal's offset; the peer keeps a row a point, as most
trackers do, and inserts by executemany (pipelined by psycopg). On DATABASE_URL's server, or an embedded one.
"""

import argparse
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

METRICS = [f"metric_{i}" for i in range(10)]
POINT = "INSERT INTO plain_point (attempt, name, seq, step, time, value) VALUES (%s, %s, %s, %s, %s, %s)"


def main() -> None:
    """Print rates and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000, help="journal records of ten metrics")
    parser.add_argument("--rollouts", type=int, default=20_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)):
        points, rollouts = Path(folder) / "points", Path(folder) / "rollouts"
        write_points(points, arguments.steps)
        write_rollouts(rollouts, arguments.rollouts)
        report("points", arguments.steps * len(METRICS), points, insert_points)
        report("rollouts", arguments.rollouts, rollouts, insert_rollouts)


@contextmanager
def database(home: Path) -> Iterator[None]:
    """A scratch database with Mulberry's tables, dropped afterwards."""
    import django

    from workers.stack.postgres import Postgres

    home.chmod(0o711)  # as root the embedded server runs under another account
    server = None if "DATABASE_URL" in os.environ else Postgres(home)
    os.environ["MULBERRY_HOME"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
    if server:
        os.environ["DATABASE_URL"] = server.url
        server.start()
    django.setup()
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE plain_point (attempt bigint, name text, seq bigint, step bigint,"
                " time float8, value float8, PRIMARY KEY (attempt, name, seq))"
            )
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)
        connection.close()
        if server:
            server.stop()
            if (cluster := home / "postgres").is_symlink():
                shutil.rmtree(cluster.resolve())


def report(what: str, count: int, folder: Path, insert: Callable[[Any, int, list[Any]], None]) -> None:
    own, plain = (count / measured for measured in (ingested(folder), inserted(folder, insert)))
    print(f"{what:9} ingest {own:9,.0f}/s   INSERT a row {plain:9,.0f}/s   ratio {own / plain:.1f}")


def new_attempt(folder: Path) -> int:
    from tests.factories import make_attempt, make_experiment, run_of
    from webapp.experiments.models import Experiment

    experiment = make_experiment(f"bench-{Experiment.objects.count() + 1}")
    return make_attempt(run_of(experiment, "baseline", "grpo"), run_dir=str(folder)).pk


def ingested(folder: Path) -> float:
    from workers.ingest import Ingest

    ingest = Ingest(new_attempt(folder))
    start = time.perf_counter()
    while ingest.flush():
        pass
    return time.perf_counter() - start


def inserted(folder: Path, insert: Callable[[Any, int, list[Any]], None]) -> float:
    from django.db import connection, transaction

    from training.process import journal
    from webapp.runs.models import Attempt
    from workers.ingest import FLUSH_BYTES

    attempt, offset = new_attempt(folder), 0
    start = time.perf_counter()
    while records := list(journal.read(folder / "journal", offset, FLUSH_BYTES)):
        with transaction.atomic(), connection.cursor() as cursor:
            Attempt.objects.filter(pk=attempt, journal_offset=offset).update(
                journal_offset=records[-1].offset
            )
            insert(cursor, attempt, records)
        offset = records[-1].offset
    return time.perf_counter() - start


def insert_points(cursor: Any, attempt: int, records: list[Any]) -> None:
    cursor.executemany(
        POINT,
        [
            (attempt, name, record.seq, record.fields["step"], record.time, value)
            for record in records
            for name, value in record.fields["values"].items()
        ],
    )


def insert_rollouts(cursor: Any, attempt: int, records: list[Any]) -> None:
    from workers.batch import ROLLOUT, Batch

    batch = Batch()
    for record in records:
        batch.add(record)
    columns = ("seq", "step", "sampled_at", "index", *ROLLOUT, "attempt_id")
    names, places = ", ".join(f'"{c}"' for c in columns), ", ".join(["%s"] * len(columns))
    sql = f"INSERT INTO telemetry_rollout ({names}) VALUES ({places})"
    cursor.executemany(sql, [(*row, attempt) for row in batch.rollouts])


def write_points(folder: Path, steps: int) -> None:
    from training.process.journal import Journal

    folder.mkdir()
    journal, draw = Journal(folder / "journal"), random.Random(0)
    for step in range(steps):
        journal.metrics(step, {name: draw.random() for name in METRICS})
    journal.close()


def write_rollouts(folder: Path, count: int, step_size: int = 64) -> None:
    from training.process.journal import Journal

    folder.mkdir()
    journal, draw = Journal(folder / "journal"), random.Random(0)
    for step in range(0, count, step_size):
        rows = [rollout(draw, step) for _ in range(min(step_size, count - step))]
        journal.append("rollouts", step=step // step_size, rows=rows)
    journal.close()


def rollout(draw: random.Random, group: int) -> dict[str, Any]:
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    return {
        "group": group, "prompt": f"User: Mia has {a} bags with {b} apples each. How many apples?\nAssistant:",
        "completion": " ".join(f"{a} × {b} = {a * b}" for _ in range(draw.randint(1, 20))) + f"\n#### {a * b}",
        "reference": str(a * b), "final_answer": str(a * b), "tokens": 20, "reward": 1.0,
        "components": {"correct": 1.0, "shows_steps": 0.0, "short_response": 0.0}, "advantage": draw.gauss(0, 1),
        "correct": True, "mul_tokens": 0, "repeats": False, "hit_limit": False,
    }  # fmt: skip


if __name__ == "__main__":
    main()
