"""What browser tests over recorded rows share: rows beside Playwright's loop, and a server in which somebody is signed in."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.served import served, session


@pytest.fixture(scope="module", autouse=True)
def rows_beside_a_loop() -> Iterator[None]:
    """Playwright's loop runs in the test's own thread, where Django would refuse to touch the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture
def address(transactional_db: None, page: Page) -> Iterator[str]:
    """A server on the test database in which the page's person is signed in."""
    with served() as (_, found):
        cookies = [{"name": name, "value": value, "url": found} for name, value in session().items()]
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
        yield found
        page.goto("about:blank")  # the stream ends before its server, so that the console stays clean
