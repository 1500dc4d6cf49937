"""The list of experiments, narrowed and ordered by its URL."""

import re

import pytest
from django.test import Client

from tests import factories
from webapp.experiments.models import Experiment
from webapp.pages.experiments.querysets import summaries
from webapp.runs.models import State

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def listed(client: Client, query: str) -> list[str]:
    page = client.get(f"/experiments/?{query}", headers={"HX-Request": "true"}).content.decode()
    return re.findall(r'href="/experiments/([\w-]+)/" data-row', page)


def test_every_experiment_is_found_under_the_state_that_the_list_says(ada: Client) -> None:
    stages = [("pretrain", "pretrain")]
    for first in State:
        for second in State:
            experiment = factories.make_experiment(f"{first}-{second}", stages=stages)
            for run, state in zip(experiment.runs.order_by("pk"), (first, second), strict=True):
                experiment.runs.filter(pk=run.pk).update(state=state)
    factories.make_experiment("published", stages=stages, imported=True)
    said = {summary.experiment.name: summary.state for summary in summaries(Experiment.objects.all())}
    for state in ("running", "ready", "failed", "cancelled", "succeeded", "imported"):
        pages = [*listed(ada, f"state={state}"), *listed(ada, f"state={state}&page=2")]
        assert set(pages) == {name for name, word in said.items() if word == state}, state


def test_words_recipe_and_owner_narrow_together(ada: Client) -> None:
    factories.make_experiment("demo-1", title="Big one")
    factories.make_experiment("demo-2", owner=factories.make_user("bob"))
    factories.make_experiment("smoke-1", title="Big two")
    assert listed(ada, "q=big") == ["smoke-1", "demo-1"]
    assert listed(ada, "q=big&recipe=demo") == ["demo-1"]
    assert listed(ada, "owner=bob") == ["demo-2"]
    assert listed(ada, "sort=oldest") == ["demo-1", "demo-2", "smoke-1"]
    assert listed(ada, "sort=name&owner=ada") == ["demo-1", "smoke-1"]


def test_a_choice_that_does_not_exist_is_said(ada: Client) -> None:
    factories.make_experiment("demo-1")
    page = ada.get("/experiments/?state=asleep").content.decode()
    assert "Select a valid choice" in page
    assert "No experiment fits" in page


def test_the_pages_of_a_list_keep_its_choices(ada: Client) -> None:
    for number in range(31):
        factories.make_experiment(f"demo-{number}", stages=[])
    page = ada.get("/experiments/?q=demo&page=1").content.decode()
    assert 'href="?page=2&amp;q=demo"' in page
