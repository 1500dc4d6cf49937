"""The overview's first steps: live check marks, and put aside for good by each person."""

import pytest
from django.test import Client

from tests import factories, histories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def done(ada: Client) -> int:
    """How many steps have their check mark."""
    page = ada.get("/").content.decode()
    assert "First steps" in page
    return page.count('<li class="done">')


def test_each_step_is_checked_when_it_is_taken(ada: Client) -> None:
    assert done(ada) == 0
    assert "Launch the demo" in ada.get("/").content.decode()
    histories.make_history("demo-1", done=6)
    assert "Read the demo" in ada.get("/").content.decode()
    assert ada.get("/first-steps/demo/").headers["Location"] == "/experiments/demo-1/"
    assert done(ada) == 1
    assert ada.get("/first-steps/comparison/").headers["Location"] == "/experiments/new/", (
        "nothing to compare yet"
    )
    assert done(ada) == 1
    attempt = factories.make_attempt(
        factories.run_of(factories.make_experiment("smoke-1"), "baseline", "pretrain")
    )
    factories.add_evaluation(attempt, [True, False])
    factories.make_experiment("smoke-2")  # newer, and without an answer
    assert done(ada) == 2
    assert ada.get("/first-steps/comparison/").headers["Location"] == "/experiments/smoke-1/comparison/"
    assert done(ada) == 3
    assert ada.get("/first-steps/elsewhere/").status_code == 404


def test_they_are_put_aside_by_one_person_for_good(ada: Client) -> None:
    assert done(ada) == 0
    ada.post("/first-steps/hide/")
    assert "First steps" not in ada.get("/").content.decode()
    bob = Client()
    bob.force_login(factories.make_user("bob"))
    assert done(bob) == 0


def test_an_installation_with_work_in_it_has_none(ada: Client) -> None:
    for number in range(1, 5):
        factories.make_experiment(f"smoke-{number}")
    assert "First steps" not in ada.get("/").content.decode()
