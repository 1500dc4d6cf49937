"""The printed link signs in, in a real browser, once."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.stack import RunningStack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_without_signing_in_there_is_nothing_to_see(page: Page, stack: RunningStack) -> None:
    page.goto(stack.address)
    assert page.url.startswith(f"{stack.address}/sign-in/")


def test_a_link_signs_in_once(page: Page, browser: Browser, stack: RunningStack) -> None:
    link = stack.sign_in_link()
    page.goto(link)
    page.wait_for_url(f"{stack.address}/")
    other = browser.new_context()
    again = other.new_page()
    again.goto(link)
    expect(again.get_by_text("This link does not work")).to_be_visible()
    other.close()


def test_signed_in_there_is_the_overview(signed_in: Page) -> None:
    expect(signed_in.get_by_role("heading", level=1)).to_have_text("Overview")
