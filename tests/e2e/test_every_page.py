"""Every page at two widths, light and dark: accessible (axe), no error, no sideways scroll, and nothing jumps while it loads.

Axe looks at each page once in each scheme: when light at the desktop's width, when dark at the phone's, so that both
schemes' colours and both layouts are looked at. MULBERRY_PICTURES=FOLDER leaves a picture of every page, scheme and width.
The scheme changes under the open page, as it does in the evening, so that each page is loaded and drawn once.
This is the one place where axe looks at what has an address: other states of a page belong into MORE of tests/pages.py.
Modules beside this one look at what has none: dialogs, messages, open menus.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError as PlaywrightTimeoutError, expect

from tests import factories, histories, pages
from tests.axe import violations
from tests.e2e.conftest import BROWSER_PATIENCE
from tests.served import session
from webapp.runs import queues
from webapp.runs.models import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PICTURES = os.environ.get("MULBERRY_PICTURES")
WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = ("light", "dark")
AXE_LOOKS = {("light", "desktop"), ("dark", "phone")}
WIDE = 1440  # where each page is loaded first
MOST_SHIFT = 0.05  # of all that moves while a page loads, as browsers measure it (cumulative layout shift)
# What moves: each shift with what it moved and from where to where, so that a failure says it.
SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push([one.value, one.sources.slice(0, 3).map(
    ({ node, previousRect, currentRect }) => `${node?.id || node?.className || node?.nodeName} ${previousRect.y} → ${currentRect.y}`)]);
}).observe({ type: "layout-shift", buffered: true });"""
LATE = '[hx-trigger*="load"], #charts'  # what comes after the page
HALVES = (0, 1)  # of the pages, which two processes look at
MANY = (  # charts, cards, rows and fields are made by one template each: axe looks at the first ones of a list
    ".chart:nth-of-type(n+3)",
    "article:nth-of-type(n+7)",
    "li[data-words]:nth-of-type(n+7)",
    "tbody tr:nth-of-type(n+9)",
    ".level-3:nth-of-type(n+3)",
    ".field:nth-of-type(n+9)",
)
# Folded parts are opened, but for menus and what lies over the page: those would cover what axe looks at.
OPEN = """() => document.querySelectorAll("main details:not(.downloads, .menu, .chart-menu, [hidden])")
  .forEach((one) => { one.open = true })"""
# A function: a bare expression would be evaluated again in the page, where its policy forbids that.
FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


@pytest.fixture
def rows(transactional_db: None) -> pages.Rows:
    return histories.make_every_page()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("half", HALVES)
def test_every_page_is_fit_to_be_seen(
    browser: Browser, rows: pages.Rows, rows_to_serve: str, half: int
) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
    cookies = [{"name": name, "value": value, "url": rows_to_serve} for name, value in session().items()]
    faults: list[str] = []

    def look(found: Mapping[str, str], person: list[dict[str, str]]) -> None:
        with closing(browser.new_context(reduced_motion="reduce")) as context:
            context.set_default_timeout(BROWSER_PATIENCE)
            context.add_init_script(SHIFTS)
            context.add_cookies(person)  # type: ignore[arg-type]
            for name, path in list(found.items())[half :: len(HALVES)]:
                faults.extend(_faults(context, rows_to_serve + path, name))

    look({name: example(rows) for name, example in (pages.PAGES | pages.MORE).items()}, cookies)
    look({name: example(rows) for name, example in pages.SIGNED_OUT.items()}, [])
    drained = factories.make_worker("cpu:0")
    queues.drain(worker=drained, by="ada")
    queues.pause(queue="default", by="ada")
    look(_paused_and_drained(rows, drained), cookies)
    assert not faults, "\n".join(faults)


def _paused_and_drained(rows: pages.Rows, drained: Worker) -> dict[str, str]:
    """Pages that look otherwise when a queue is paused and a worker drained."""
    return {
        "overview-paused": reverse("overview"),
        "workers-paused": reverse("workers"),
        "worker-paused": reverse("worker", kwargs={"worker_id": rows.worker}),
        "worker-drained": reverse("worker", kwargs={"worker_id": drained.pk}),
        "experiment-paused": reverse("experiment", kwargs={"name": rows.launched}),
    }


def _faults(context: BrowserContext, url: str, name: str) -> Iterator[str]:
    """What is wrong with a page, in each scheme at every width."""
    errors: list[str] = []
    with closing(context.new_page()) as page:
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": WIDE, "height": 900})
        answer = page.goto(url)
        assert answer is not None
        if answer.status != 200:
            yield f"{name}: {urlsplit(url).path} answers {answer.status}"
            return
        _settle(page)
        yield from (f"{name}: {fault}" for fault in _shifts(page, WIDE))
        page.evaluate(OPEN)
        _settle(page)
        yield from (f"{name}: {fault}" for fault in _headings(page))
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for width in WIDTHS if PICTURES else [width for width in WIDTHS if (scheme, width) in AXE_LOOKS]:
                yield from (f"{name}: {fault}" for fault in _faults_of_a_look(page, scheme, width))
                if PICTURES:
                    page.screenshot(path=f"{PICTURES}/{name}-{scheme}-{width}.png", full_page=True)
        if page.locator(LATE).count():
            page.reload()
            _settle(page)
            yield from (f"{name}: {fault}" for fault in _shifts(page, WIDTHS["phone"]))
    yield from (f"{name}: console: {text}" for text in errors)


def _faults_of_a_look(page: Page, scheme: str, width: str) -> Iterator[str]:
    """What sticks out at a width, and what axe finds there."""
    page.set_viewport_size({"width": WIDTHS[width], "height": 900})
    if extra := _narrowed(page):
        yield f"is {extra} px too wide at {WIDTHS[width]}"
    if (scheme, width) in AXE_LOOKS:
        yield from (f"axe, {scheme} at {WIDTHS[width]}: {fault}" for fault in violations(page, MANY))


def _shifts(page: Page, width: int) -> Iterator[str]:
    """Whether too much moved while the page came."""
    shifts: list[tuple[float, list[str]]] = page.evaluate("window.shifts")
    total = sum(value for value, _ in shifts)
    if total >= MOST_SHIFT:
        yield f"moves by {total:.3f} at {width} while it loads: {max(shifts)}"


def _headings(page: Page) -> Iterator[str]:
    """A page without a title, or headings that skip a level."""
    if not page.title().strip():
        yield "has no title"
    levels = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map((one) => Number(one.tagName[1]))")
    if levels[:1] != [1] or any(after > before + 1 for before, after in pairwise(levels)):
        yield f"its headings have the levels {levels}"


def _narrowed(page: Page) -> int:
    """How many pixels stick out, when charts are drawn for the new width, as they are a moment after it has changed."""
    with suppress(PlaywrightTimeoutError):
        page.wait_for_function(FITS, timeout=5_000)
    page.evaluate(DRAWN)
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _settle(page: Page) -> None:
    """Wait for what a page fetches after it is there: fragments, and the charts that are in view."""
    expect(page.locator("h1")).to_have_count(1)
    if page.locator("#charts").count():
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
    # where a fork is refused the plan that comes has no offers at all, so the words are looked for, not their place
    expect(page.get_by_text("Looking for finished stages")).to_have_count(0)
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.evaluate(DRAWN)
