"""What axe finds on a page as it stands in the browser: nothing, in a test that passes."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

TAKE_OUT = """(selectors) => {
  window.takenOut = [...document.querySelectorAll(selectors.join(", ") || "not-there")].map((one) => {
    const place = document.createComment("");
    one.replaceWith(place);
    return [place, one];
  });
}"""
PUT_BACK = "() => { for (const [place, one] of window.takenOut.reverse()) place.replaceWith(one); }"


def violations(page: Page, leave_out: Sequence[str] = ()) -> list[str]:
    """A line for each rule that is broken, with the first elements that break it.

    `leave_out`: selectors of what axe does not look at, such as the hundredth of equal things. That is taken out of the page
    meanwhile: axe would still go through what it is told to exclude, which takes most of its time on a page of charts.
    """
    page.evaluate(TAKE_OUT, [*leave_out])
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.evaluate(PUT_BACK)
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]


def without_policy(browser: Browser, page: Page, **options: object) -> Page:
    """Another page of the same person into which axe may put its script."""
    context = browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True, **options)  # type: ignore[arg-type]
    return context.new_page()
