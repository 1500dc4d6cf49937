"""Every page at two widths, light and dark: accessible (axe, WCAG 2.1 AA), no error, no sideways scroll; a picture of each."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, TimeoutError as PlaywrightTimeoutError, expect

from tests import histories, pages
from tests.conftest import BROWSER_PATIENCE, ROOT
from tests.served import served, session

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = ROOT / "var" / "screenshots"
WIDTHS = {"desktop": 1280, "phone": 390}
WCAG = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
}


@pytest.fixture
def rows(transactional_db: None) -> pages.Rows:
    return histories.make_every_page()


@pytest.mark.timeout(1200)
def test_every_page_is_fit_to_be_seen(browser: Browser, rows: pages.Rows) -> None:
    signed_in = pages.PAGES | pages.MORE
    faults: list[str] = []
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served() as (_, address):
        cookies = [{"name": name, "value": value, "url": address} for name, value in session().items()]
        for scheme in ("light", "dark"):
            for found, person in ((signed_in, cookies), (pages.SIGNED_OUT, [])):
                context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
                context.set_default_timeout(BROWSER_PATIENCE)
                context.add_cookies(person)  # type: ignore[arg-type]
                for name, example in found.items():
                    page = context.new_page()
                    page.set_viewport_size({"width": WIDTHS["desktop"], "height": 900})
                    name_of = f"{name}-{scheme}"
                    faults += [
                        f"{name_of}: {fault}" for fault in _faults(page, address + example(rows), name_of)
                    ]
                    page.close()
                context.close()
    assert not faults, "\n".join(faults)


def _faults(page: Page, url: str, name: str) -> Iterator[str]:
    """What is wrong with a page; leaves a picture of it at every width."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    answer = page.goto(url)
    assert answer is not None
    if answer.status != 200:
        yield f"{urlsplit(url).path} answers {answer.status}"
        return
    _settle(page)
    for violation in Axe().run(page, options=WCAG).response["violations"]:
        for node in violation["nodes"][:3]:
            why = " ".join(node["failureSummary"].split())
            yield f"axe {violation['id']}: {node['html'][:200]}: {why[:300]}"
    for width, wide in WIDTHS.items():
        page.set_viewport_size({"width": wide, "height": 900})
        _narrowed(page)
        extra = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if extra:
            yield f"is {extra} px too wide at {wide}"
        page.screenshot(path=PICTURES / f"{name}-{width}.png", full_page=True)
    yield from (f"console: {text}" for text in errors)


def _narrowed(page: Page) -> None:
    """Charts are drawn again a moment after the window has changed; what stays too wide is found by the caller.

    The condition is a function: a bare expression would be evaluated again in the page, where its policy forbids that.
    """
    fits = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    with suppress(PlaywrightTimeoutError):
        page.wait_for_function(fits, timeout=5_000)
    page.wait_for_timeout(150)


def _settle(page: Page) -> None:
    """Wait for what a page fetches after it is there: fragments, and the first charts."""
    expect(page.locator("h1")).to_have_count(1)
    if page.locator("#charts[data-source]").count():
        expect(page.locator("#charts .js-plotly-plot").first).to_be_attached()
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.wait_for_timeout(150)
