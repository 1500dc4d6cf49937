"""What axe finds on a page as it stands in the browser: nothing, in a test that passes."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page


def violations(page: Page, leave_out: Sequence[str] = ()) -> list[str]:
    """A line for each rule that is broken, with the first elements that break it.

    `leave_out`: selectors of what axe does not look at, such as the hundredth of equal things.
    """
    context = {"exclude": [[selector] for selector in leave_out]} if leave_out else None
    found = Axe().run(page, context=context, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]


def without_policy(browser: Browser, page: Page, **options: object) -> Page:
    """Another page of the same person into which axe may put its script."""
    context = browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True, **options)  # type: ignore[arg-type]
    return context.new_page()
