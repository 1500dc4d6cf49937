"""The messenger: a thread in every worker, one at work at a time, that tells people what happened and sends what is due.

It is a thread of its own because a slow mail server or webhook must not keep a worker's heartbeat back. Once a minute it also
reads the answers and differences of experiments that no list has shown since there was news, so that lists are ordered rightly.
"""

import logging
import threading

from webapp.comparison.answers import kept_answers
from webapp.experiments import changed_settings
from webapp.notifications.outbox import deliver_due
from workers.database import GONE, close_quietly
from workers.janitor import advisory_lock

log = logging.getLogger("mulberry.messenger")

LOOK = 2.0  # seconds between looks
READING = 30  # looks from one reading of answers to the next
AFTER_FAULT = 60.0  # seconds that a fault of our own is not met again
LOCK = 0x6D756C6D  # "mulm": one messenger at a time


class Messenger(threading.Thread):
    """Runs until `stop()`; a database out of reach is waited for."""

    def __init__(self) -> None:
        super().__init__(name="messenger", daemon=True)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread after what it is sending."""
        self._stopped.set()
        self.join(timeout=10)

    def run(self) -> None:
        """Look for news and for what is due, by turns with the other workers."""
        looks = 0
        try:
            while not self._stopped.wait(LOOK):
                looks += 1
                try:
                    with advisory_lock(LOCK) as chosen:
                        if chosen:
                            deliver_due(seconds=LOOK)
                        if chosen and looks % READING == 0:
                            changed_settings.keep_missing(seconds=LOOK)
                            kept_answers.read_some(seconds=LOOK)
                except GONE as error:
                    log.warning("no database: %s", str(error).strip())
                    close_quietly()
                except Exception:  # of one notice, or of the findings it would be about: the others go on
                    log.exception("telling people failed; it is tried again in %.0f s", AFTER_FAULT)
                    self._stopped.wait(AFTER_FAULT)
        finally:
            close_quietly()
