"""The running database, as the commands that ask it something need it."""

import os

import django
from django.db import connection
from django.db.utils import OperationalError

from training.folders import home_folder
from workers.cli.commands import CommandError


def announced() -> bool:
    """Whether there is one to be found: a `mulberry up` left word in the home, or DATABASE_URL says where."""
    return bool(os.environ.get("DATABASE_URL")) or (home_folder() / "database_url").exists()


def set_up() -> None:
    """Read the settings and load the models."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()


def connect() -> None:
    """Load the models and reach the database. Raises CommandError."""
    if not announced():
        raise CommandError(f"no database for {home_folder()}; start `mulberry up` first, or set DATABASE_URL")
    set_up()
    try:
        tables = connection.introspection.table_names()
    except OperationalError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CommandError(f"no database answers; start `mulberry up` first ({reason})") from None
    if "experiments_experiment" not in tables:
        raise CommandError("the database is empty; start `mulberry up` or `mulberry web` first")


def find_again() -> None:
    """Let go of a database that went away: `mulberry up` starts its own anew, and in another place."""
    from webapp.settings import database, database_url

    connection.close()
    connection.settings_dict.update(database(database_url()))


def migrate() -> None:
    """Bring the tables up to date; of several processes that try, one does it and the others wait."""
    from django.core.management import call_command

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('mulberry migrations', 0))")
        try:
            call_command("migrate", verbosity=0, interactive=False)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('mulberry migrations', 0))")
