"""What lists and the worker's second-by-second looks ask: as many queries for many runs as for few, and nothing long."""

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests import factories
from webapp.runs.models import StageRun, State
from webapp.runs.querysets import for_pages, in_queue_order, queued_before, ready_by_queue
from workers.janitor import held_attempts

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

LONG = ('"runs_stagerun"."spec"', '."recipe"', '."notes"')


LIMITS = {"/": 28}  # queries; of the others 20
MOST_VISITS = 100  # each of which works out and keeps something of at least one experiment


@pytest.fixture
def ada(client: Client) -> Iterator[Client]:
    client.force_login(factories.make_user())
    yield client


def asked(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return [one["sql"] for one in queries]


def once_kept(client: Client, path: str) -> list[str]:
    """What is asked when nothing is left to be worked out and kept, of which a visit does as much as its time allows."""
    for _ in range(MOST_VISITS):
        found = asked(client, path)
        if not any(sql.startswith(("INSERT", "UPDATE")) for sql in found):
            return found
    raise AssertionError(f"{path} still keeps something after {MOST_VISITS} visits")


def make(name: str) -> None:
    """An experiment of two seeds with results, a failure, a run that goes on and some that are ready."""
    experiment = factories.make_experiment(name, seeds=(0, 1), recipe={"name": "demo"}, notes="long " * 100)
    for condition in ("baseline", "mul_tokens"):
        attempt = factories.make_attempt(
            factories.run_of(experiment, condition, "pretrain"), state=State.SUCCEEDED
        )
        factories.add_evaluation(attempt, [True, False])
    factories.make_attempt(factories.run_of(experiment, "baseline", "instruct"), state=State.FAILED)
    factories.make_attempt(factories.run_of(experiment, "mul_tokens", "instruct"))


@pytest.mark.parametrize("path", ["/", "/experiments/", "/experiments/?state=failed", "/workers/"])
def test_lists_ask_as_much_for_many_experiments_as_for_few_and_nothing_long(ada: Client, path: str) -> None:
    for number in range(6):
        make(f"demo-{number}")
    few = once_kept(ada, path)
    for number in range(6, 16):
        make(f"demo-{number}")
    many = once_kept(ada, path)
    assert len(many) == len(few) <= LIMITS.get(path, 20), "\n".join(many)
    assert not [sql for sql in many if any(column in sql for column in LONG)]


def test_an_experiments_page_reads_its_settings_and_notes_once_and_no_specs(ada: Client) -> None:
    make("demo-1")
    found = asked(ada, "/experiments/demo-1/")
    assert len([sql for sql in found if '."recipe"' in sql]) == 1
    assert not [sql for sql in found if re.search(r'"spec"(?! (->|#>))', sql)], (
        "parts of it are asked for, never the whole"
    )


def test_runs_of_pages_have_their_settings_when_asked() -> None:
    make("demo-1")
    run = for_pages().filter(stage__name="instruct").first()
    assert run is not None and run.spec["stage"] == "instruct" and run.experiment.notes


def test_the_place_in_the_queue_is_counted_by_the_database() -> None:
    for name in ("a-1", "b-1"):
        factories.make_experiment(name, seeds=range(5))
    order = list(in_queue_order(StageRun.objects.filter(state=State.READY)))
    assert len(order) == 20
    for place, run in enumerate(order):
        assert queued_before(run) == place
    with CaptureQueriesContext(connection) as queries:
        queued_before(order[-1])
    assert len(queries) == 1 and "COUNT(*)" in queries[0]["sql"]
    assert ready_by_queue(StageRun.objects.filter(state=State.READY)) == {"default": 20}
    order[3].state = State.RUNNING
    assert queued_before(order[3]) == 0


def test_what_the_janitor_asks_every_second_is_short() -> None:
    run = factories.run_of(factories.make_experiment(), "baseline", "pretrain")
    factories.make_attempt(run, worker=factories.make_worker("cpu:0"), hostname="box")
    with CaptureQueriesContext(connection) as queries:
        (held,) = held_attempts()
        assert held.worker is not None and held.worker.hostname == "box"
    assert len(queries) == 1
    assert not any(column in queries[0]["sql"] for column in (*LONG, '"data"', '"gpus"', '"usage"'))
