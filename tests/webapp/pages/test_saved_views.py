"""Saved views keep pages of this site, and nothing else; only their owner changes them."""

import pytest
from django.test import Client

from tests import factories
from webapp.accounts.models import SavedView

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "javascript:alert(1)",
        "/sign-out/",
        "/live/",
        "/search.json",
        "/nothing/there/",
        "/experiments/\r\nX: y",
        "/experiments/?q=" + "x" * 2000,
        "",
    ],
)
def test_only_pages_of_this_site_are_kept(ada: Client, address: str) -> None:
    answer = ada.post("/views/save/", {"name": "bad", "address": address})
    assert answer.headers["Location"] == "/views/"
    assert not SavedView.objects.exists()


def test_a_view_keeps_its_choices_and_the_name_is_taken_once(ada: Client) -> None:
    for address in ("/experiments/?state=failed&q=a%20b#x", "/experiments/?state=running"):
        assert (
            ada.post("/views/save/", {"name": " Mine  here ", "address": address}).headers["Location"]
            == address
        )
    assert SavedView.objects.values_list("name", "address").get() == (
        "Mine here",
        "/experiments/?state=running",
    )
    ada.post("/views/save/", {"name": "Other", "address": "/"})
    other = SavedView.objects.get(name="Other")
    page = ada.post(f"/views/{other.pk}/change/", {"name": "Mine here"}, follow=True).content.decode()
    assert "you have a view" in page


def test_without_a_view_the_page_leads_to_where_one_is_kept(ada: Client) -> None:
    page = ada.get("/views/").content.decode()
    assert "Open the list of experiments" in page and "<h2>Yours</h2>" not in page


def test_others_see_what_is_shared_and_change_nothing(ada: Client) -> None:
    bob = factories.make_user("bob")
    own = SavedView.objects.create(owner=bob, name="secret", address="/")
    shared = SavedView.objects.create(owner=bob, name="for all", address="/", shared=True)
    page = ada.get("/views/").content.decode()
    assert "for all" in page and "secret" not in page
    for view in (own, shared):
        assert ada.post(f"/views/{view.pk}/delete/").status_code == 404
        assert ada.post(f"/views/{view.pk}/change/", {"name": "x"}).status_code == 404
    assert SavedView.objects.count() == 2
