"""The two probes: what each says of real faults, over the real database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.db import connection
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests import factories
from tests.silence import silent_peer
from webapp import celery, health

pytestmark = pytest.mark.django_db(transaction=True)
FINE = {"database": "ok", "worker": "ok", "home": "ok", "storage": "ok", "broker": "ok"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker) -> None:
    """Nothing is kept from one test to the next."""
    monkeypatch.setattr(health, "SERVING", [health.HealthCheck(health._serving)])
    monkeypatch.setattr(health, "READY", [health.HealthCheck(check._read) for check in health.READY])
    monkeypatch.setattr(health, "KEPT", -1.0)


@contextmanager
def altered(how: str, back: str) -> Iterator[None]:
    """The test database, altered for new connections alone."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} {how}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER DATABASE {name} {back}")


def checks(client: Client) -> tuple[int, dict[str, str]]:
    answer = client.get("/readyz")
    said = answer.json()
    assert said["ready"] == (answer.status_code == 200)
    return answer.status_code, said["checks"]


def test_all_is_well_and_nobody_has_to_sign_in(client: Client) -> None:
    factories.make_worker("cpu:0")
    assert checks(client) == (200, FINE)
    assert client.get("/healthz").content == b"ok\n"


def test_without_a_worker_that_takes_runs_the_dashboard_serves_and_is_not_ready(client: Client) -> None:
    status, said = checks(client)
    assert (status, said) == (503, FINE | {"worker": "none takes runs; start one with `mulberry worker`"})
    assert client.get("/healthz").status_code == 200


def test_a_database_that_takes_no_new_connection_is_neither(client: Client) -> None:
    with altered("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
        status, said = checks(client)
        alive = client.get("/healthz")
    assert (status, alive.status_code) == (503, 503)
    assert said["database"].startswith("it does not answer") and said["worker"].startswith("not known")
    assert alive.content == b"the database does not answer; see the log of the web process\n"


def test_a_database_that_only_reads_is_not_ready(client: Client) -> None:
    with altered("SET default_transaction_read_only = on", "RESET default_transaction_read_only"):
        status, said = checks(client)
    assert (status, said["database"]) == (503, "it is read-only")


def test_space_below_the_reserve_and_a_folder_that_is_none(
    client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_worker("cpu:0")
    monkeypatch.setattr(celery, "EMBEDDED", True)
    monkeypatch.setenv("MULBERRY_DISK_RESERVE", str(10**18))
    settings.MULBERRY_STORAGE = str(tmp_path / "file")
    (tmp_path / "file").touch()
    status, said = checks(client)
    assert status == 503
    assert said["home"].endswith("GB are kept in reserve")
    assert said["storage"] == "cannot be written to (Not a directory)"
    assert str(tmp_path) not in str(said)


def test_a_broker_that_never_answers_is_named_and_keeps_no_one_waiting(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.make_worker("cpu:0")
    with silent_peer() as port:
        monkeypatch.setattr(celery, "EMBEDDED", False)
        monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery would prefer it
        monkeypatch.setattr(celery, "app", Celery(broker=f"amqp://guest:secret@127.0.0.1:{port}//"))
        monkeypatch.setattr(health, "CONNECT", 0.1)
        status, said = checks(client)
    assert (status, said) == (503, FINE | {"broker": "it does not answer; see the log of the web process"})


def test_a_check_that_hangs_is_started_once_and_answered_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LIMIT", 0.01)
    going, starts = threading.Event(), []

    def hangs() -> str:
        starts.append(1)
        going.wait()
        return ""

    hanging = [health.HealthCheck(hangs)]
    try:
        assert [health.problems(hanging)["hangs"] for _ in range(3)] == ["no answer within 0 s"] * 3
        assert len(starts) == 1
    finally:
        going.set()


@pytest.mark.parametrize("path", ["/", "/live/", "/experiments/"])
def test_a_page_without_a_database_is_503_and_not_a_fault_of_ours(client: Client, path: str) -> None:
    client.force_login(factories.make_user())
    client.raise_request_exception = False
    with altered("ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
        connection.close()
        answer = client.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database does not answer" in answer.text
