"""What every test may use: a temporary home with a PostgreSQL of its own, real data, the whole stack, a browser."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest

from tests.stack import SAMPLES, RunningStack
from workers.stack.postgres import Postgres

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
BROWSER_PATIENCE = 30_000  # ms: for whatever a page should show; a shared machine has slow moments

# Settings are read once, at import, so the environment stands before anything imports them. The server itself
# is started by the first test that needs a database; DATABASE_URL from outside is used as it is.
HOME = Path(tempfile.mkdtemp(prefix="mulberry-tests-"))
(HOME / "static").mkdir()  # WhiteNoise warns without it
HOME.chmod(0o711)  # as root the database runs under another account, which must get through
POSTGRES = (
    None if "DATABASE_URL" in os.environ else Postgres(HOME, {"fsync": "off", "full_page_writes": "off"})
)
os.environ["MULBERRY_HOME"] = str(HOME)
os.environ["MULBERRY_DATA"] = str(Path(os.environ.get("MULBERRY_DATA", SAMPLES)).resolve())
for name in ("MULBERRY_STORAGE", "MULBERRY_CACHE"):
    os.environ.pop(name, None)
if POSTGRES:
    os.environ["DATABASE_URL"] = POSTGRES.url
os.environ["DJANGO_SETTINGS_MODULE"] = "webapp.settings"
django.setup()


def pytest_unconfigure() -> None:
    if "CELERY_BROKER_URL" in os.environ:
        _remove_queue()
    if POSTGRES:
        POSTGRES.stop()
    if (cluster := HOME / "postgres").is_symlink():
        shutil.rmtree(cluster.resolve())
    shutil.rmtree(HOME)


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
    if (cluster := folder / "postgres").is_symlink():
        shutil.rmtree(cluster.resolve())
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def stack() -> Iterator[RunningStack]:
    """A running `mulberry up` that a module's tests share; it must end cleanly and leave nothing running."""
    running = RunningStack()
    try:
        running.start()
        yield running
        assert running.stop() == 0, running.said()
        assert running.processes() == []
    finally:
        running.remove()


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


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium. Of a module, not of the session: its event loop would be in the way of async tests."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=BROWSER_PATIENCE)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.fail("no Chromium; `make test` installs it as root, else install the package chromium")
    arguments = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    """A page in a fresh context; errors on its console and uncaught exceptions fail the test."""
    context = browser.new_context(accept_downloads=True)
    context.set_default_timeout(BROWSER_PATIENCE)
    opened, errors = context.new_page(), list[str]()
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def signed_in(page: "Page", stack: RunningStack) -> "Page":
    """A page of the shared stack, signed in as the operator."""
    page.goto(stack.sign_in_link())
    page.wait_for_url(f"{stack.address}/")
    return page
