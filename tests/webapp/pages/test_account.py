"""The account page, and the theme: kept for a person, in the page from its first byte."""

import re

import pytest
from django.test import Client

from tests import factories
from webapp.accounts.models import Preferences

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def media(page: str) -> str:
    """When the dark tokens hold."""
    found = re.search(r'id="dark-theme"\s+media="([^"]+)"', page)
    assert found
    return found[1]


def test_the_account_page_leads_to_a_persons_settings(ada: Client) -> None:
    page = ada.get("/account/").content.decode()
    assert "Signed in as ada" in page
    for part in (
        'href="/notifications/#settings"',
        'href="/views/"',
        'action="/sign-out/"',
        "Keyboard shortcuts",
        'value="dark"',
    ):
        assert part in page
    assert 'id="settings"' in ada.get("/notifications/").content.decode()


def test_a_theme_is_kept_for_the_person_and_in_every_page(ada: Client, client: Client) -> None:
    assert media(ada.get("/").content.decode()) == "(prefers-color-scheme: dark)"
    answer = ada.post("/account/theme/", {"theme": "dark", "next": "/experiments/?q=a"})
    assert answer.headers["Location"] == "/experiments/?q=a"
    for path in ("/", "/help/", "/no-such-page/"):
        page = ada.get(path).content.decode()
        assert media(page) == "all" and 'content="dark"' in page, path
    assert 'value="dark" aria-pressed="true"' in ada.get("/account/").content.decode()
    other = Client()
    other.force_login(factories.make_user("bob"))
    assert media(other.get("/").content.decode()) == "(prefers-color-scheme: dark)"
    assert ada.post("/account/theme/", {"theme": "light"}, headers={"HX-Request": "true"}).status_code == 204
    assert media(ada.get("/").content.decode()) == "not all"
    ada.post("/account/theme/", {"theme": ""})
    assert media(ada.get("/").content.decode()) == "(prefers-color-scheme: dark)"


def test_what_is_no_theme_is_refused_and_no_address_leads_elsewhere(ada: Client) -> None:
    assert ada.post("/account/theme/", {"theme": "pink"}).status_code == 400
    assert not Preferences.objects.exists()
    answer = ada.post("/account/theme/", {"theme": "dark", "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/account/"
    assert ada.get("/account/theme/").status_code == 405


def test_who_is_signed_out_has_what_the_system_has(client: Client) -> None:
    assert media(client.get("/sign-in/").content.decode()) == "(prefers-color-scheme: dark)"
