"""The search palette and the keys, by keyboard alone."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories, histories
from tests.axe import violations, without_policy

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_run_is_found_and_opened_by_keyboard(page: Page, address: str) -> None:
    experiment = histories.make_history("demo-1", done=2)
    run = factories.run_of(experiment, "mul_tokens", "grpo")
    page.goto(f"{address}/experiments/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search")
    expect(field).to_be_focused()
    page.keyboard.type("demo-1 grpo mul")
    options = page.locator("#palette").get_by_role("option")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("demo-1 / grpo, mul_tokens, seed 0")
    expect(field).to_have_attribute("aria-activedescendant", str(options.get_attribute("id")))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/runs/{run.pk}/")


def test_arrows_choose_and_the_field_keeps_the_focus(page: Page, address: str) -> None:
    factories.make_experiment("demo-1")
    page.goto(f"{address}/experiments/demo-1/")
    page.goto(f"{address}/views/")
    page.get_by_role("link", name="Search").click()
    options = page.locator("#palette").get_by_role("option")
    expect(page.get_by_role("group", name="Recent")).to_contain_text("demo-1")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("combobox", name="Search")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_enter_waits_for_what_was_typed(page: Page, address: str) -> None:
    page.goto(f"{address}/views/")
    page.keyboard.press("/")
    page.keyboard.type("new experiment")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/experiments/new/")


def test_keys_lead_to_pages_and_through_lists(page: Page, address: str) -> None:
    for number in (1, 2):
        factories.make_experiment(f"demo-{number}")
    page.goto(f"{address}/views/")
    page.keyboard.press("g")
    page.keyboard.press("e")
    page.wait_for_url(f"{address}/experiments/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="demo-1", exact=True)).to_be_focused()
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="demo-2", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/experiments/demo-2/")
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url(f"{address}/experiments/new/")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(f"{address}/")


def test_keys_can_be_switched_off_and_do_nothing_while_somebody_types(page: Page, address: str) -> None:
    factories.make_experiment("demo-1")
    page.goto(f"{address}/experiments/")
    page.get_by_role("searchbox", name="Search").fill("")
    page.keyboard.type("ge?/")
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("ge?/")
    expect(page.get_by_role("dialog")).to_have_count(0)
    found = f"{address}/experiments/?q=ge%3F%2F"
    page.wait_for_url(found)  # the list is searched while somebody types
    page.get_by_role("searchbox", name="Search").blur()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(keys).to_be_visible()
    keys.get_by_label("Use the keys of a single character").uncheck()
    keys.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(keys).to_be_hidden()
    page.reload()
    page.keyboard.press("/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name="Search")).to_have_value("")
    assert page.url == found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialogs(browser: Browser, page: Page, address: str, scheme: str) -> None:
    factories.make_experiment("demo-1")
    other = without_policy(browser, page, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    other.goto(f"{address}/views/")
    other.keyboard.press("?")
    expect(other.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert violations(other) == []
    other.keyboard.press("Escape")
    other.keyboard.press("Control+k")
    other.keyboard.type("demo")
    expect(other.get_by_role("option").first).to_be_visible()
    assert violations(other) == []
    other.goto("about:blank")
    other.context.close()
