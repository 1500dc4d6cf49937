"""What every test may use: a temporary home with a PostgreSQL of its own, real data, the whole stack.

Under pytest-xdist the controller runs no test: it makes the folder in which each worker has its home, its PostgreSQL
and its temporary files, hands it over in FOLDER_GIVEN, and removes it in the end, also when a worker crashed, which ends the run.
"""

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import django
import pytest

from tests.order import Groups, in_order
from tests.stack import SAMPLES, RunningStack, end_and_remove
from workers.stack.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
FOLDER_GIVEN = "MULBERRY_TESTS_FOLDER"  # of a run: set by the controller for its workers

# Settings are read once, at import, so the environment stands before anything imports them. The server itself
# is started by the first test that needs a database; DATABASE_URL from outside is used as it is.
os.environ.setdefault(
    "PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir()
)  # where pytest keeps tmp_path, to be looked at
BEFORE = dict(os.environ)
IS_WORKER = FOLDER_GIVEN in os.environ
FOLDER = Path(os.environ.get(FOLDER_GIVEN) or tempfile.mkdtemp(prefix="mulberry-tests-")).resolve()
HOME = FOLDER / os.environ.get("PYTEST_XDIST_WORKER", "home")
(HOME / "static").mkdir(parents=True)  # WhiteNoise warns without it
if not IS_WORKER:
    FOLDER.chmod(0o1777)  # as root the database runs under another account, which must get through
HOME.chmod(0o711)
DATABASE_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    # a vacuum in the middle of a test counts none of the rows that it has not committed, and the planner goes by that
    "autovacuum": "off",
}
POSTGRES = None if "DATABASE_URL" in os.environ else Postgres(HOME, DATABASE_SETTINGS)
os.environ["TMPDIR"] = tempfile.tempdir = str(FOLDER)
os.environ["MULBERRY_HOME"] = str(HOME)
os.environ["MULBERRY_DATA"] = str(Path(os.environ.get("MULBERRY_DATA", SAMPLES)).resolve())
for name in ("MULBERRY_STORAGE", "MULBERRY_CACHE"):
    os.environ.pop(name, None)
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # tests run side by side, each on one core
os.environ["TORCHINDUCTOR_VEC_ISA_OK"] = (
    "0"  # kernels without vector instructions, which compile in half the time
)
if POSTGRES:
    os.environ["DATABASE_URL"] = POSTGRES.url
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
django.setup()
# Half a million objects of the libraries live as long as the process: going over them took a tenth of the tests' time.
gc.set_threshold(10_000, 20, 100)
gc.disable()  # until every module is there


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Workers inherit the environment as it was, not what was made of it for this process, which runs no test."""
    os.environ.clear()
    os.environ.update(BEFORE | {FOLDER_GIVEN: str(FOLDER)})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Groups:
    """Groups are ours: pytest-xdist 3.8 does not find its own `xdist_group` under pytest 9."""
    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what begins first, and that whole data sets are slow."""
    items[:] = in_order(items)
    for item in items:
        if "whole_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    gc.enable()


def pytest_unconfigure() -> None:
    if POSTGRES:
        POSTGRES.stop()
    if IS_WORKER:
        return  # the controller removes all of it
    if "CELERY_BROKER_URL" in os.environ:
        _remove_queue()
    for process in end_and_remove(FOLDER):
        print(f"the tests left a process behind, which is ended now: {process}", file=sys.stderr)


def _remove_queue() -> None:
    """Leave no queue on a broker that others use, unless somebody is taking from it."""
    from webapp.celery import OUT_OF_REACH, app

    with app.connection_for_write() as broker, suppress(*OUT_OF_REACH):
        queue = app.amqp.queues["default"].bind(broker.channel())
        queue.delete(if_unused=True)
        queue.exchange.delete(if_unused=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """pytest-django asks for this before it makes the test database: start the server now."""
    if POSTGRES and POSTGRES.poll() is not None:
        POSTGRES.start()


@pytest.fixture(scope="session", autouse=True)
def flushed_quickly() -> Iterator[None]:
    """What tests that commit have stored is removed as tests/rows.py does."""
    from tests.rows import flushed_by_delete

    with flushed_by_delete():
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real data: the whole sets where MULBERRY_DATA names them, else the samples in tests/data."""
    return Path(os.environ["MULBERRY_DATA"])


@pytest.fixture(scope="session")
def whole_data(data_dir: Path) -> Path:
    """The whole data sets, for what is about all of their rows."""
    if data_dir == SAMPLES:
        pytest.skip("this is about every row; set MULBERRY_DATA to the folder of the whole data sets")
    return data_dir


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty MULBERRY_HOME that another account may enter, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mulberry-home-"))
    folder.chmod(0o711)
    yield folder
    end_and_remove(folder)


@pytest.fixture
def new_stack() -> Iterator[Callable[..., RunningStack]]:
    """Makes stacks that a test starts, kills and starts again itself; removed afterwards."""
    made: list[RunningStack] = []

    def make(environment: dict[str, str] | None = None) -> RunningStack:
        made.append(RunningStack(environment))
        return made[-1]

    yield make
    for one in made:
        one.remove()
