"""The Celery application: a message only says that a queue may hold work; PostgreSQL is the authority."""

import atexit
import contextlib
import logging
import os
import tempfile
import threading
from queue import Empty, Full, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError
from kombu.transport import TRANSPORT_ALIASES

from webapp.broker import transport_options

log = logging.getLogger("mulberry.broker")
TRANSPORT_ALIASES["filesystem"] = "webapp.broker:Transport"
WAITING = 256  # announcements that wait for the broker; more are the janitor's
MESSAGE_LIFETIME = 60  # seconds: the janitor announces again, so an old message says nothing new

EMBEDDED = settings.CELERY_BROKER_URL == "filesystem://"

# one more try at once, then the janitor's turn: whoever launches must not wait for a broker that is away
_AWAY = {"max_retries": 1, "interval_start": 0}
if settings.CELERY_BROKER_URL.startswith("redis"):  # its client would wait for good for one that says nothing
    _AWAY |= {"socket_connect_timeout": 5, "socket_timeout": 10}

app = Celery("mulberry", broker="filesystem://localhost//" if EMBEDDED else settings.CELERY_BROKER_URL)
app.conf.update(
    broker_transport_options=transport_options() if EMBEDDED else _AWAY,
    broker_connection_retry_on_startup=True,
    task_default_queue="default",
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,  # workers say how they are in the database
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
)

# A wrong password or a missing virtual host is not wrapped in kombu's own error.
_transport = app.connection_for_write()
OUT_OF_REACH = (BrokerError, OSError, *_transport.connection_errors, *_transport.channel_errors)


def announce(queue: str) -> None:
    """Say that a queue may hold work; returns at once, and what cannot be said now the janitor announces again."""
    if EMBEDDED:
        _send(queue)  # a small file
    else:
        ANNOUNCER.say(queue)


class Announcer:
    """A thread that talks to the broker, so that nobody waits for one that swallows packets: each message takes it seconds."""

    def __init__(self) -> None:
        self.waiting: Queue[str] = Queue(maxsize=WAITING)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def say(self, queue: str) -> None:
        """Have it said soon; not at all when too much waits already."""
        with contextlib.suppress(Full):
            self.waiting.put_nowait(queue)
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # a forked process has none
                self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
                self._thread.start()
                atexit.register(self.finish)

    def finish(self, seconds: float = 1.0) -> None:
        """Give what waits so long to be said: a command that launches ends right after."""
        with self.waiting.all_tasks_done:
            self.waiting.all_tasks_done.wait_for(lambda: not self.waiting.unfinished_tasks, seconds)

    def _run(self) -> None:
        while True:
            said, queue = False, self.waiting.get()
            try:
                said = _send(queue)
            except Exception:  # one of ours: what comes later is said all the same
                log.exception("could not announce work on queue %s", queue)
            self.waiting.task_done()
            while not said:  # as it would be with the others, and by then they say nothing new
                try:
                    self.waiting.get_nowait()
                except Empty:
                    break
                self.waiting.task_done()


def _send(queue: str) -> bool:
    try:
        app.send_task(
            "workers.tasks.run_next", args=[queue], queue=queue, expires=MESSAGE_LIFETIME, retry=False
        )
    except OUT_OF_REACH as error:
        log.warning("could not announce work on queue %s: %s", queue, error)
        return False
    return True


ANNOUNCER = Announcer()


def reach(seconds: float) -> None:
    """Connect to the broker. Raises one of OUT_OF_REACH; a broker that says nothing at all may take longer."""
    if EMBEDDED:
        with tempfile.TemporaryFile(dir=str(app.conf.broker_transport_options["data_folder_in"])) as tried:
            tried.write(b"reached")
        return
    with app.connection_for_write(connect_timeout=seconds) as broker:
        broker.connect()
