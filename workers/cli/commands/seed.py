"""`mulberry seed`: synthetic records in the wanted amount."""

import argparse
import sys
import time

from workers.cli import synthetic
from workers.cli.commands import access, database


def seed(options: argparse.Namespace) -> int:
    """Make one experiment of so many rollouts and points."""
    database.connect()
    began = time.monotonic()
    amount = synthetic.SyntheticSize(options.rollouts, options.points)
    made = synthetic.make(amount, access.operator(), lambda text: print(text, file=sys.stderr, flush=True))
    print(
        f"{made.name}: {options.rollouts:,} rollouts, {options.points:,} points, {time.monotonic() - began:.0f} s"
    )
    return 0
