"""A worker's report: its use and its log, capped and without secrets."""

import logging
import threading

import pytest

from webapp.runs.models import Worker, WorkerLog
from workers import reporter as module
from workers.reporter import LINE, LINES, Reporter, Tail


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.Logger("mulberry.worker", logging.DEBUG)
    return made


def test_the_last_lines_are_kept_and_cut(logger: logging.Logger) -> None:
    tail = Tail([])
    logger.addHandler(tail)
    for n in range(LINES + 50):
        logger.info("line %s %s", n, "x" * 2 * LINE)
    logger.debug("not this")
    lines = tail.text().splitlines()
    assert len(lines) == LINES
    assert f"line {LINES + 49} x" in lines[-1]
    assert max(map(len, lines)) == LINE


def test_secrets_do_not_leave_the_process(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setenv("MULBERRY_KEY_OURS", "sk-ours")
    settings.CELERY_BROKER_URL = "amqp://mulberry:sw%2Fordfish@broker//"  # type: ignore[attr-defined]
    settings.SECRET_KEY = "the-key-of-sessions"  # type: ignore[attr-defined]
    tail = Tail(module.secrets())
    logger.addHandler(tail)
    try:
        raise ValueError(
            "refused sk-ours at amqp://mulberry:sw%2Fordfish@broker, sw/ordfish, the-key-of-sessions"
        )
    except ValueError:
        logger.exception("it broke")
    text = tail.text()
    assert "refused ••• at amqp://mulberry:•••@broker, •••, •••" in text
    assert "Traceback" in text


def test_a_report_is_in_the_workers_row_and_its_log_beside_it(
    db: None, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module.usage,
        "gpus",
        lambda: [{"name": "NVIDIA H100", "used": 0.5, "memory_used": 1, "memory_total": 2}],
    )
    worker = Worker.objects.create(name="w@h", hostname="h", boot_id="b", pid=1, process_started=1.0)
    tail = Tail([])
    logger.addHandler(tail)
    reporter = Reporter(worker, tail)
    logger.info("takes runs from default")
    reporter.report()
    logger.warning("a second line")
    reporter.report()
    worker.refresh_from_db()
    assert worker.gpus == ["NVIDIA H100"]
    assert worker.usage["memory_total"] > 0
    assert worker.usage_at is not None
    first, second = WorkerLog.objects.get(worker=worker).text.splitlines()
    assert first.endswith("INFO mulberry.worker: takes runs from default")
    assert second.endswith("WARNING mulberry.worker: a second line")


def test_a_report_that_cannot_be_made_ends_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, again = [], threading.Event()

    def sick(_: object) -> None:
        tries.append(1)
        if len(tries) > 1:
            again.set()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.usage, "sample", sick)
    monkeypatch.setattr(module, "EVERY", 0.01)
    reporter = Reporter(Worker(), Tail([]))
    reporter.start()
    assert again.wait(60)
    reporter.stop()
    assert not reporter.is_alive()
