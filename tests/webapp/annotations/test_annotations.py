"""Labels and comments: who wrote them, that they are text, and that they are found again."""

import csv
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from tests import factories
from webapp.annotations import annotating
from webapp.annotations.models import OutcomeAnnotation, RolloutAnnotation
from webapp.results.models import Outcome
from webapp.runs.models import State
from webapp.telemetry.models import Rollout

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(factories.make_user("ada"))
    return client


def annotate(client: Client, kind: str, row: int, **asked: object) -> str:
    answer = client.post(f"/annotations/{kind}/{row}/", asked, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return answer.content.decode()


async def whole(response: Any) -> bytes:
    return b"".join([part async for part in response.streaming_content])


def test_a_rollout_is_labelled_and_its_list_narrowed_by_it(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a download would give the test's own connection back
    monkeypatch.setattr("webapp.pages.file_responses.close_old_connections", lambda: None)
    run = factories.make_run("grpo")
    factories.add_rollouts(run.attempts.get(), count=8)
    first, second, *_ = Rollout.objects.order_by("pk")
    group = f"/runs/{run.pk}/rollouts/{first.pk}/"
    assert ">Marked<" not in ada.get(f"/runs/{run.pk}/rollouts/").content.decode()
    said = annotate(ada, "rollout", first.pk, do="add", label=" lucky  guess", text=HOSTILE)
    assert "lucky guess" in said and "&lt;script&gt;" in said and HOSTILE not in said
    annotate(ada, "rollout", second.pk, do="add", label="shortcut")
    page = ada.get(group).content.decode()
    assert "lucky guess" in page and HOSTILE not in page
    listed = ada.get(f"/runs/{run.pk}/rollouts/?marked=label:lucky guess").content.decode()
    assert f"/rollouts/{first.pk}/" in listed
    for marked in ("label:lucky guess", "commented"):
        file = async_to_sync(whole)(ada.get(f"/runs/{run.pk}/rollouts.csv?marked={marked}"))
        assert len(list(csv.reader(io.StringIO(file.decode())))) == 2, (
            "the heading, and the one that is labelled"
        )
    assert "Select a valid choice" in ada.get(f"/runs/{run.pk}/rollouts/?marked=label:none").content.decode()
    found = ada.get("/search/?q=lucky").content.decode()
    assert "Rollouts of demo-1 labelled lucky guess" in found and "?marked=label%3Alucky%20guess" in found


def test_an_outcome_is_found_again_in_its_evaluation_and_among_the_flips(ada: Client) -> None:
    experiment = factories.make_experiment("demo-1", stages=[("pretrain", "pretrain")])
    for run, right in zip(experiment.runs.order_by("condition__position"), (False, True), strict=True):
        factories.add_evaluation(factories.make_attempt(run, state=State.SUCCEEDED), [right] * 3)
    outcome = Outcome.objects.order_by("pk")[1]
    address = f"/evaluations/{outcome.evaluation_id}/"
    annotate(ada, "outcome", outcome.pk, do="add", label="unit lost", text="reads km as m")
    page = ada.get(f"{address}?only=label:unit+lost").content.decode()
    assert page.count("<article") == 1 and "reads km as m" in page and "labelled unit lost" in page
    assert ada.get(f"{address}outcomes.csv?only=label:unit+lost").status_code == 200
    flips = ada.get("/experiments/demo-1/flips/").content.decode()
    assert flips.count("<article") == 3 and "reads km as m" in flips
    narrowed = ada.get("/experiments/demo-1/flips/?marked=commented").content.decode()
    assert narrowed.count("<article") == 1
    assert ada.get("/experiments/demo-1/flips/?marked=nothing").status_code == 400


def test_each_person_removes_their_own(ada: Client) -> None:
    run = factories.make_run("grpo")
    factories.add_rollouts(run.attempts.get(), count=2)
    one = Rollout.objects.first()
    assert one is not None
    annotating.annotate(kind="rollout", of=one.pk, label="odd", text="", by="bob")
    theirs = RolloutAnnotation.objects.get()
    assert "somebody else wrote it" in annotate(ada, "rollout", one.pk, do="remove", annotation=theirs.pk)
    annotate(ada, "rollout", one.pk, do="add", text="mine")
    own = RolloutAnnotation.objects.get(by="ada")
    assert "mine" not in annotate(ada, "rollout", one.pk, do="remove", annotation=own.pk)
    assert list(RolloutAnnotation.objects.all()) == [theirs]


def test_what_says_nothing_is_refused_where_it_was_written(ada: Client) -> None:
    run = factories.make_run("grpo")
    factories.add_rollouts(run.attempts.get(), count=2)
    one = Rollout.objects.first()
    assert one is not None
    for asked in (
        {},
        {"label": "x" * 41},
        {"label": "a,b"},
        {"text": "x" * 5000},
        {"do": "remove", "annotation": "x"},
    ):
        assert "Nothing was changed" in annotate(ada, "rollout", one.pk, **asked)
    assert not RolloutAnnotation.objects.exists() and not OutcomeAnnotation.objects.exists()
    assert ada.post("/annotations/run/1/").status_code == 404
    assert ada.post("/annotations/outcome/1/").status_code == 404
