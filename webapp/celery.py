"""The Celery application: a message only says that a queue may hold work; PostgreSQL is the authority."""

import logging
import os
import tempfile

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")

from celery import Celery
from django.conf import settings
from kombu.exceptions import OperationalError as BrokerError
from kombu.transport import TRANSPORT_ALIASES

from webapp.broker import transport_options

log = logging.getLogger("mulberry.broker")
TRANSPORT_ALIASES["filesystem"] = "webapp.broker:Transport"
MESSAGE_LIFETIME = 60  # seconds: the janitor announces again, so an old message says nothing new

EMBEDDED = settings.CELERY_BROKER_URL == "filesystem://"

app = Celery("mulberry", broker="filesystem://localhost//" if EMBEDDED else settings.CELERY_BROKER_URL)
app.conf.update(
    # one more try at once, then the janitor's turn: whoever launches must not wait for a broker that is away
    broker_transport_options=transport_options() if EMBEDDED else {"max_retries": 1, "interval_start": 0},
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
    """Say that a queue may hold work; a broker out of reach is logged, for the janitor announces again."""
    try:
        app.send_task(
            "workers.tasks.run_next", args=[queue], queue=queue, expires=MESSAGE_LIFETIME, retry=False
        )
    except OUT_OF_REACH as error:
        log.warning("could not announce work on queue %s: %s", queue, error)


def reach(seconds: float) -> None:
    """Connect to the broker. Raises one of OUT_OF_REACH; a broker that says nothing at all may take longer."""
    if EMBEDDED:
        with tempfile.TemporaryFile(dir=str(app.conf.broker_transport_options["data_folder_in"])) as tried:
            tried.write(b"reached")
        return
    with app.connection_for_write(connect_timeout=seconds) as broker:
        broker.connect()
