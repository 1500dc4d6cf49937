"""Whatever lies in the data folder, every page answers, and a broken file is said on its recipes' cards alone."""

import re
from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from tests import factories, faulty_data, histories, pages
from training.recipes import recipe as recipes
from training.recipes.recipe import RecipeError
from webapp.experiments.models import Experiment
from webapp.launch.launch import launch
from workers.cli.main import main

pytestmark = pytest.mark.django_db

GSM8K = "/experiments/new/gsm8k_tiny/"
HELLASWAG = "/experiments/new/hypothesis_a_medium/"


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    client.raise_request_exception = False
    return client


def card(page: str, recipe: str) -> str:
    """The text of a recipe's card in the gallery."""
    found = re.search(
        rf'<li data-words="[^"]*?"[^>]*>(?:(?!</li>).)*<code>{recipe}</code>.*?</li>', page, re.DOTALL
    )
    assert found is not None
    return found[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_page_answers_whatever_the_data_folder_holds(
    ada: Client, settings: Settings, tmp_path: Path
) -> None:
    found = histories.make_every_page()
    addresses = {address(found) for address in (pages.PAGES | pages.MORE | pages.SIGNED_OUT).values()}
    reading = ["/", "/experiments/new/", f"{GSM8K}?as=yaml", f"{HELLASWAG}?as=yaml"]
    for fault in [*faulty_data.READ, *faulty_data.REFUSED]:
        settings.MULBERRY_DATA = tmp_path / fault
        faulty_data.write(settings.MULBERRY_DATA, fault)
        # what reads data is asked with every fault; the others with one, as nothing of it reaches them
        asked = addresses.union(reading, [GSM8K, HELLASWAG]) if fault == "null_value" else reading
        answers = {address: ada.get(address).status_code for address in asked}
        if fault == "null_value":  # the panel is the part of a recipe's page that reads data
            answers |= {
                f"{address} POST": ada.post(f"{address}panel/", {}).status_code
                for address in (GSM8K, HELLASWAG)
            }
        assert not {address: code for address, code in answers.items() if code >= 400}, fault


@pytest.mark.parametrize(
    "fault",
    ["empty", "array", "wrong_keys", "null_value", "folder", "pipe", "link_to_itself", "null_bytes", "html"],
)
def test_a_broken_file_is_said_on_the_cards_of_its_recipes_alone(
    ada: Client, settings: Settings, tmp_path: Path, fault: str
) -> None:
    settings.MULBERRY_DATA = tmp_path
    faulty_data.write(tmp_path, fault)
    page = ada.get("/experiments/new/").content.decode()
    said = card(page, "gsm8k_tiny")
    assert f"{tmp_path}/gsm8k/test.jsonl" in said
    assert f"{tmp_path}/gsm8k/train.jsonl" in said
    for recipe in ("smoke", "demo"):
        assert "Cannot run here" not in card(page, recipe)
    assert launch(recipe=recipes.build(recipes.read("smoke")), owner=factories.make_user()).pk


@pytest.mark.parametrize("fault", ["bom", "blank_lines", "crlf"])
def test_what_is_read_over_can_be_launched(
    ada: Client, settings: Settings, tmp_path: Path, fault: str
) -> None:
    settings.MULBERRY_DATA = tmp_path
    faulty_data.write(tmp_path, fault)
    assert "Cannot run here" not in card(ada.get("/experiments/new/").content.decode(), "gsm8k_tiny")


def test_an_empty_benchmark_is_refused_by_file_name(
    ada: Client, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MULBERRY_DATA = tmp_path
    faulty_data.sound(tmp_path)
    (tmp_path / "gsm8k" / "test.jsonl").write_text("")
    said = f"{tmp_path}/gsm8k/test.jsonl is empty: it holds no problem; get the file again"
    gsm8k = recipes.build(recipes.read("gsm8k_tiny"))
    with pytest.raises(RecipeError, match="is empty: it holds no problem"):
        launch(recipe=gsm8k, owner=factories.make_user())
    page = ada.post(GSM8K, {}).content.decode()
    assert "Nothing was launched." in page
    assert said in page
    assert main(["launch", "gsm8k_tiny", "--yes"]) == 1
    assert f"benchmarks.gsm8k: {said}" in capsys.readouterr().err
    assert main(["launch", "gsm8k_tiny", "--dry-run"]) == 0
    assert said in capsys.readouterr().out
    assert not Experiment.objects.exists()
