"""The reporter: a thread in every worker that sends what the machine is used for and the last lines of its log."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db.models.functions import Now

from webapp.runs.models import Worker, WorkerLog
from workers import usage
from workers.database import GONE, close_quietly

log = logging.getLogger("mulberry.reporter")

EVERY = 5.0  # seconds between reports
LINES = 200  # of the log that are kept
LINE = 400  # characters of a line
FORMAT = "%(asctime)sZ %(levelname)s %(name)s: %(message)s"


class Tail(logging.Handler):
    """Keeps the last lines that a process logged, without the secrets that it knows."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__(logging.INFO)
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)
        self._lines: deque[str] = deque(maxlen=LINES)
        formatter = logging.Formatter(FORMAT, "%Y-%m-%d %H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record in."""
        text = self.format(record)
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        self._lines.extend(line[:LINE].replace("\0", "") for line in text.splitlines())

    def text(self) -> str:
        """What is kept, oldest first."""
        self.acquire()
        try:
            return "\n".join(self._lines)
        finally:
            self.release()


def secrets() -> list[str]:
    """What must not leave this process in a line of its log."""
    broker = urlsplit(settings.CELERY_BROKER_URL).password or ""
    database, mail = str(settings.DATABASES["default"]["PASSWORD"]), settings.EMAIL_HOST_PASSWORD
    keys = [value for name, value in os.environ.items() if name.startswith("MULBERRY_KEY_")]
    return [settings.SECRET_KEY, database, mail, broker, unquote(broker), *keys]


class Reporter(threading.Thread):
    """Runs until `stop()`; a database out of reach is waited for."""

    def __init__(self, worker: Worker, tail: Tail) -> None:
        super().__init__(name="reporter", daemon=True)
        self.worker, self.tail = worker, tail
        self._sent: str | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread, the last lines sent."""
        self._stopped.set()
        self.join(timeout=15)

    def run(self) -> None:
        """Report at once, then every few seconds, and at the end."""
        try:
            while True:
                last = self._stopped.is_set()
                try:
                    self.report()
                except GONE as error:
                    log.warning("no database: %s", str(error).strip())
                    close_quietly()
                except Exception:  # what the machine is used for is no reason to stop training
                    log.exception("the report could not be made")
                if last:
                    return
                self._stopped.wait(EVERY)
        finally:
            close_quietly()

    def report(self) -> None:
        """Write both into the database: the log only where it grew."""
        found = usage.sample(settings.MULBERRY_HOME)
        names = [gpu["name"] for gpu in found["gpus"]]
        Worker.objects.filter(pk=self.worker.pk).update(usage=found, usage_at=Now(), gpus=names)
        text = self.tail.text()
        if text != self._sent:
            values = {"text": text, "sent_at": Now()}
            WorkerLog.objects.update_or_create(worker_id=self.worker.pk, defaults=values)
            self._sent = text
