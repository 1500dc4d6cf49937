"""Signing in by a one-time link."""

import pytest
from django.test import Client

from tests import factories
from webapp.accounts.models import SignInLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def secret() -> str:
    return SignInLink.create_for(factories.make_user().pk)


def test_opening_the_link_does_not_use_it_up(client: Client, secret: str) -> None:
    assert client.get(f"/sign-in/{secret}/").status_code == 200
    assert client.post(f"/sign-in/{secret}/").headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_a_link_works_once(client: Client, secret: str) -> None:
    client.post(f"/sign-in/{secret}/")
    again = Client().post(f"/sign-in/{secret}/")
    assert "does not work" in again.content.decode()


@pytest.mark.parametrize("before", ["", "http://127.0.0.1:8000/sign-in/"])
def test_the_code_or_the_whole_link_can_be_pasted(client: Client, secret: str, before: str) -> None:
    assert client.post("/sign-in/", {"code": f" {before}{secret}/ "}).status_code == 302
    assert client.get("/").status_code == 200


def test_signing_in_goes_on_to_this_site_only(client: Client, secret: str) -> None:
    answer = client.post("/sign-in/", {"code": secret, "next": "https://elsewhere.example/"})
    assert answer.headers["Location"] == "/"


def test_signing_out_ends_the_session(client: Client, secret: str) -> None:
    client.post(f"/sign-in/{secret}/")
    client.post("/sign-out/")
    assert client.get("/").headers["Location"] == "/sign-in/?next=/"


@pytest.mark.parametrize("path", ["/", "/experiments/new/", "/runs/1/", "/live/", "/runs/1/charts.json"])
def test_every_page_asks_for_a_signed_in_person(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/sign-in/")


def test_posting_without_the_csrf_token_is_refused(secret: str) -> None:
    assert Client(enforce_csrf_checks=True).post("/sign-in/", {"code": secret}).status_code == 403


def test_health_needs_no_one(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
