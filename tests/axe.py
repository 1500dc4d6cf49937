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
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .map((one) => [one.id, one.nodes.slice(0, 3).map((node) => node.target)])"""
PUT_BACK = "() => { for (const [place, one] of window.takenOut.reverse()) place.replaceWith(one); }"


def violations(page: Page, leave_out: Sequence[str] = ()) -> list[str]:
    """A line for each rule that is broken, with the first elements that break it.

    `leave_out`: selectors of what axe does not look at, such as the hundredth of equal things. That is taken out of the page
    meanwhile: axe would still go through what it is told to exclude, which takes most of its time on a page of charts.
    """
    page.evaluate(TAKE_OUT, [*leave_out])
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(Axe().axe_script)
    found = page.evaluate(RUN)
    page.evaluate(PUT_BACK)
    return [f"{rule}: {targets}" for rule, targets in found]


def without_policy(browser: Browser, page: Page, **options: object) -> Page:
    """Another page of the same person into which axe may put its script."""
    context = browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True, **options)  # type: ignore[arg-type]
    return context.new_page()
