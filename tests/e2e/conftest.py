"""What end-to-end tests share, each made once in a process: a running stack, a browser, a server on the test database.

All of it belongs to this package: Playwright's event loop, which runs in the tests' own thread, would be in the way of
async tests elsewhere.
"""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browsers import start_browser
from tests.served import COUNTING, served, session, wait_until_idle
from tests.stack import RunningStack

LONGEST = 1_400.0  # seconds for an experiment that was launched early; some minutes on two idle cores
BROWSER_PATIENCE = 30_000  # ms: for whatever a page should show; a shared machine has slow moments


@pytest.fixture(scope="package", autouse=True)
def rows_beside_a_loop() -> Iterator[None]:
    """Playwright's loop runs in the test's own thread, where Django would refuse to touch the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="package")
def stack(request: pytest.FixtureRequest) -> Iterator[RunningStack]:
    """A running `mulberry up` that tests share; it must end cleanly and leave nothing running.

    What tests are marked to launch is launched at once, and trains in the two slots while other tests run.
    """
    running = RunningStack()
    try:
        running.start()
        for item in request.session.items:
            for mark in item.iter_markers("launches"):
                running.launch_early(*mark.args)
        yield running
        assert running.stop() == 0, running.said()
        assert running.processes() == []
    finally:
        running.remove()


@pytest.fixture
def launched(request: pytest.FixtureRequest, stack: RunningStack) -> list[str]:
    """Names of the experiments that this test is marked to launch; all of their runs succeeded."""
    marks = list(request.node.iter_markers("launches"))[::-1]
    for mark in marks:
        assert stack.launched[mark.args].returncode == 0, stack.launched[mark.args].stderr
    names = [str(json.loads(stack.launched[mark.args].stdout)["name"]) for mark in marks]
    for name in names:
        states = stack.wait_for_runs(name, LONGEST)
        assert states.keys() == {"succeeded"}, stack.mulberry("status", name).stdout
    return names


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    expect.set_options(timeout=BROWSER_PATIENCE)
    with sync_playwright() as playwright:
        chromium = start_browser(playwright)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
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
def signed_in(page: Page, stack: RunningStack) -> Page:
    """A page of the shared stack, signed in as the operator."""
    page.goto(stack.sign_in_link())
    page.wait_for_url(f"{stack.address}/")
    return page


@pytest.fixture(scope="package")
def server(django_db_setup: None) -> Iterator[str]:
    """The address of the one server on the test database; what a test stored is gone in the next."""
    with served(application=COUNTING) as (_, found):
        yield found


@pytest.fixture
def rows_to_serve(transactional_db: None, server: str) -> Iterator[str]:
    """The server's address, for a test that stores rows; the server is idle before the rows are removed."""
    yield server
    wait_until_idle(server)


@pytest.fixture
def address(rows_to_serve: str, page: Page) -> Iterator[str]:
    """The server's address, with the page's person signed in."""
    cookies = [{"name": name, "value": value, "url": rows_to_serve} for name, value in session().items()]
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    yield rows_to_serve
    page.goto("about:blank")  # the page's requests end before its rows, so that the console stays clean
