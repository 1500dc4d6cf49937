"""`mulberry backup` and `mulberry restore`."""

import argparse
import os
from pathlib import Path

from workers.cli.commands import CommandError, database


def backup(options: argparse.Namespace) -> int:
    """Write database, checkpoints and journals into a folder, as of one moment, while Mulberry runs."""
    database.connect()
    from django.conf import settings
    from django.db import connections

    from webapp.settings import database_url
    from workers.cli import backup as backups

    connections.close_all()
    folder, runs = Path(options.folder), settings.MULBERRY_HOME / "runs"
    try:
        made = backups.make(folder, database_url(), Path(settings.MULBERRY_STORAGE).resolve(), runs, _say)
    except backups.BackupError as error:
        raise CommandError(str(error)) from None
    size = sum(bytes_ for bytes_, _ in made.files.values())
    _say(f"{folder}: {len(made.files):,} files, {size / 1e9:.2f} GB")
    for path in made.elsewhere:
        _say(f"not in it, because it lies elsewhere: {path}")
    for path in made.missing:
        _say(f"the database names a checkpoint that is not whole any more: {path}")
    return 1 if made.missing else 0


def restore(options: argparse.Namespace) -> int:
    """Put a backup into an empty home and database."""
    database.set_up()
    from django.conf import settings

    from workers.cli.backup import BackupError
    from workers.cli.restore import restore as put_back

    url = os.environ.get("DATABASE_URL") or None
    try:
        put_back(Path(options.folder), settings.MULBERRY_HOME, Path(settings.MULBERRY_STORAGE), url, _say)
    except BackupError as error:
        raise CommandError(str(error)) from None
    _say("restored; start it with `mulberry up`" if url is None else "restored; start it with `mulberry web`")
    return 0


def _say(text: str) -> None:
    print(text, flush=True)
