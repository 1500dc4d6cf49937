"""What axe finds on a page as it stands in the browser: nothing, in a test that passes."""

from collections.abc import Sequence

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

COLOURS = ("color-contrast", "link-in-text-block")  # rules about colours; the first takes most of axe's time


def violations(page: Page, without: Sequence[str] = ()) -> list[str]:
    """A line for each rule that is broken, with the first elements that break it; `without` names rules left out."""
    rules = {rule: {"enabled": False} for rule in without}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']][:3]}" for one in found]


def without_policy(browser: Browser, page: Page, **options: object) -> Page:
    """Another page of the same person into which axe may put its script."""
    context = browser.new_context(storage_state=page.context.storage_state(), bypass_csp=True, **options)  # type: ignore[arg-type]
    return context.new_page()
