"""Launching in a real browser: gallery, size, conditions, stages, text, links."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import factories
from training.recipes import recipe as recipes
from webapp.experiments.models import Condition, Experiment
from webapp.launch.launch import launch
from webapp.runs.models import StageRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SMOKE, PHASE_6 = "/experiments/new/smoke/", "/experiments/new/phase6_grpo_20x/"


def field(page: Page, path: str):  # type: ignore[no-untyped-def]
    return page.locator(f'[id="field-{path}"]')


def settled(page: Page) -> None:
    """The panel has been fetched for what the page holds."""
    expect(page.locator("#offers")).not_to_contain_text("Looking for")


def test_a_newcomer_launches_hypothesis_d_at_tiny_size_in_two_clicks(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{address}/experiments/new/")
    page.get_by_role("link", name="Set up hypothesis_d_one_step, tiny").click()
    button = page.get_by_role("button", name="Launch")
    expect(button).to_be_in_viewport()
    button.click()
    page.wait_for_url("**/experiments/hypothesis_d_one_step-1/")
    assert Experiment.objects.get().recipe["scale"] == "tiny"


def test_the_gallery_is_filtered_while_words_are_typed(page: Page, address: str) -> None:
    page.goto(f"{address}/experiments/new/")
    page.get_by_label("Filter recipes").fill("scratchpad grpo")
    expect(page.locator(".gallery > li:visible")).to_have_count(1)
    expect(page.locator("#shown")).to_have_text("1 of 18 recipes")
    page.reload()
    expect(page.locator(".gallery > li:visible")).to_have_count(1)
    page.get_by_label("Filter recipes").fill("")
    expect(page.locator(".gallery > li:visible")).to_have_count(18)


def test_another_size_shows_its_values_and_keeps_changes(page: Page, address: str) -> None:
    page.goto(address + PHASE_6)
    field(page, "seeds").fill("4, 5")
    page.get_by_label("Size", exact=True).focus()
    page.get_by_label("Size", exact=True).select_option("tiny")
    expect(field(page, "stages.grpo.prompts")).to_have_value("20")
    expect(field(page, "seeds")).to_have_value("4, 5")
    expect(page).to_have_url(f"{address}{PHASE_6}?scale=tiny")
    expect(page.locator("#plan")).to_contain_text("320")
    expect(page.get_by_label("Size", exact=True)).to_be_focused()


def test_a_change_is_marked_and_reset(page: Page, address: str) -> None:
    page.goto(f"{address}{SMOKE}?set=stages.grpo.beta=0.1")
    beta = field(page, "stages.grpo.beta")
    expect(beta).to_be_visible()
    mark = page.locator(".field", has=beta).locator(".was")
    expect(mark).to_contain_text("the recipe has 0.02")
    page.get_by_role("button", name="Reset KL coefficient").click()
    expect(beta).to_have_value("0.02")
    expect(mark).to_be_hidden()
    field(page, "title").fill("Mine")
    expect(page.locator("#changes")).to_have_text("1 setting changed")


def test_a_condition_is_added_renamed_and_launched(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    page.get_by_role("button", name="Add a condition").click()
    name = field(page, "conditions.condition_3.name")
    expect(name).to_be_focused()
    name.fill("low_beta")
    expect(page.locator("[data-named]").last).to_have_text("low_beta")
    expect(page.locator("#condition-warnings")).to_contain_text("low_beta is the same as baseline")
    picker = page.get_by_role("combobox", name="Let them differ in")
    picker.press_sequentially("kl coeff")
    expect(page.get_by_role("listbox", name="Settings").get_by_role("option").first).to_contain_text(
        "stages.grpo.beta"
    )
    picker.press("ArrowDown")
    picker.press("Enter")
    expect(picker).to_have_value("stages.grpo.beta")
    picker.press("Enter")
    cell = page.get_by_label("stages.grpo.beta in low_beta")
    cell.fill("0,001")
    expect(cell).to_have_attribute("aria-invalid", "true")
    expect(cell).to_have_accessible_description(re.compile("valid number"))
    cell.fill("0.001")
    expect(cell).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#condition-warnings")).to_be_empty()
    page.get_by_label("mul_tokens.inject in low_beta").select_option("true")
    expect(page.locator("#plan")).to_contain_text("12")
    page.get_by_role("button", name="Make mul_tokens.inject the same in all conditions").click()
    expect(page.get_by_label("mul_tokens.inject in low_beta")).to_have_count(0)
    expect(page.locator('[id="field-conditions"]')).to_contain_text("mul_tokens is the same as baseline")
    page.get_by_role("button", name="Remove mul_tokens").click()
    expect(field(page, "conditions.mul_tokens.name")).to_have_count(0)
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/experiments/smoke-1/")
    assert [one.name for one in Condition.objects.order_by("position")] == ["baseline", "low_beta"]
    assert Condition.objects.get(name="low_beta").overrides == {"stages.grpo.beta": 0.001}
    assert StageRun.objects.count() == 8


def test_two_differences_at_once_are_warned_of(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    page.get_by_label("Let them differ in").fill("model.dropout")
    page.get_by_role("button", name="Add the setting").click()
    page.get_by_label("model.dropout in mul_tokens").fill("0.1")
    page.get_by_role("button", name="Review the plan").click()
    expect(page.locator('[id="field-conditions"]')).to_contain_text("differ in 2 settings")
    page.get_by_text("Or sweep a setting").click()
    page.locator("#sweep-path-1").fill("beta")
    page.locator("#sweep-values-1").fill("0.02, 0.1, 0.5")
    expect(page.locator("#sweep-said")).to_contain_text("3 conditions × 1 seed × 4 stages = 12 stage runs")
    expect(page.locator("#sweep-said")).to_contain_text("2 comparisons share α 0.05: each is tested at 0.025")
    page.get_by_role("button", name="Make each value a condition").click()
    names = page.locator('[id="field-conditions"] thead input')
    expect(names).to_have_count(3)
    assert [names.nth(place).input_value() for place in range(3)] == ["beta_0_02", "beta_0_1", "beta_0_5"]
    expect(page.get_by_label("stages.grpo.beta in beta_0_5")).to_have_value("0.5")


def test_the_tree_of_stages_opens_their_settings(page: Page, address: str) -> None:
    data = recipes.build(recipes.read("smoke")).model_dump(mode="json")
    data["stages"].append({**data["stages"][-1], "name": "grpo_second"})
    launch(recipe=recipes.build(data), owner=factories.make_user())
    page.goto(f"{address}/experiments/smoke-1/clone/")
    branches = page.locator(".tree .branches > li")
    expect(branches).to_have_count(2)
    places = [branches.nth(i).locator(".node").first.bounding_box() for i in (0, 1)]
    assert places[0] and places[1]
    assert places[0]["x"] == places[1]["x"] and places[0]["y"] < places[1]["y"]
    node = page.locator(".tree summary", has=page.get_by_role("heading", name="grpo_second", exact=True))
    node.focus()
    page.keyboard.press("Enter")
    expect(field(page, "stages.grpo_second.prompts")).to_be_visible()
    page.goto(f"{address}/experiments/smoke-1/clone/#field-stages.grpo")
    expect(field(page, "stages.grpo.prompts")).to_be_visible()


def test_what_must_be_fixed_in_a_fold_opens_it(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    settled(page)
    expect(field(page, "primary.margin")).to_be_hidden()
    page.get_by_label("Contrast", exact=True).select_option("equivalence")
    expect(field(page, "primary.margin")).to_be_visible()
    expect(field(page, "primary.margin")).to_have_attribute("aria-invalid", "true")


def test_on_a_phone_nothing_lies_under_the_launch_bar(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address + SMOKE)
    settled(page)
    bar = page.get_by_role("button", name="Launch")
    for path in ("title", "seeds", "question", "prediction", "primary.condition"):
        field(page, path).focus()
        place, top = field(page, path).bounding_box(), bar.bounding_box()
        assert place and top and place["y"] + place["height"] <= top["y"], path
    row = page.locator(".conditions tbody tr").first.bounding_box()
    assert row and row["x"] + row["width"] <= 390, "conditions are below each other"


def test_enter_in_a_field_launches_nothing(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    field(page, "seeds").fill("0, 1")
    field(page, "seeds").press("Enter")
    expect(page.locator("#offers")).to_contain_text("None of the 16 runs")
    assert not Experiment.objects.exists()


def test_a_text_is_checked_while_it_is_written_and_launched(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    page.get_by_role("button", name="YAML").click()
    page.wait_for_url("**/?as=yaml")
    settled(page)
    text = page.locator("#yaml")
    right = text.input_value()
    wrong = right.replace("  group_size:", "  groupsize:")
    line = 1 + wrong[: wrong.index("groupsize")].count("\n")
    text.fill(wrong)
    link = page.locator("#plan").get_by_role("link", name=f"line {line}")
    expect(page.locator("#plan")).to_contain_text("did you mean 'group_size'?")
    expect(page.locator("#lines .wrong").filter(has_text=str(line))).to_have_count(1)
    link.click()
    chosen = text.evaluate("one => one.value.slice(one.selectionStart, one.selectionEnd)")
    assert chosen.strip().startswith("groupsize")
    added = right.replace("- name: mul_tokens\n", "- name: third\n- name: mul_tokens\n")
    text.fill(added)
    expect(page.locator("#offers")).to_contain_text("of 12 runs need not be computed")
    page.get_by_role("button", name="Form", exact=True).click()
    expect(field(page, "conditions.third.name")).to_have_value("third")
    page.get_by_role("button", name="YAML").click()
    page.get_by_role("button", name="Launch").click()
    page.wait_for_url("**/experiments/smoke-1/")
    assert [one.name for one in Condition.objects.order_by("position")] == ["baseline", "third", "mul_tokens"]


def test_what_was_unfolded_in_the_panel_stays_so(page: Page, address: str) -> None:
    page.goto(address + SMOKE)
    settled(page)
    page.get_by_text("Stage by stage").click()
    field(page, "seeds").fill("0, 1")
    expect(page.locator("#offers")).to_contain_text("None of the 16 runs")
    expect(page.locator("#plan-stages")).to_have_attribute("open", "")


def test_it_works_without_scripts(browser: Browser, page: Page, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(address + SMOKE)
    plain.get_by_role("button", name="Add a condition").click()
    plain.locator('[name="conditions.condition_3.name"]').fill("third")
    plain.get_by_role("button", name="Launch").click()
    plain.wait_for_url("**/experiments/smoke-1/")
    context.close()
    assert Condition.objects.filter(name="third").exists()


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_no_launch_page_scrolls_sideways(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    for path in ("/experiments/new/", PHASE_6, f"{PHASE_6}?as=yaml"):
        page.goto(address + path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        extra = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert extra == 0, path
        if path != "/experiments/new/":
            expect(page.get_by_role("button", name="Launch")).to_be_in_viewport()
