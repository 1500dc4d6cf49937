"""A worker process: `python -m workers` takes runs from its queues until it is told to end."""

import argparse
import logging
import os
import sys
import warnings

from training.process import collector
from training.settings.queue_names import DEFAULT, check_queue_name


def queue_names(text: str) -> list[str]:
    """Names separated by commas, as --queues takes them, each once. Raises ArgumentTypeError."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        try:
            check_queue_name(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    if not names:
        raise argparse.ArgumentTypeError("give the name of a queue, such as default")
    return names


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="Takes runs from queues.")
    parser.add_argument(
        "--queues", type=queue_names, default=DEFAULT, help="names of queues, separated by commas"
    )
    parser.add_argument("--slots", type=int, help="runs at once; left out: MULBERRY_SLOTS, GPUs or cores")
    parser.add_argument(
        "--devices-per-slot", type=int, help="devices of a run; left out: MULBERRY_DEVICES_PER_SLOT, 1"
    )
    arguments = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    with collector.paused_for_imports():
        import django

        django.setup()
        from django.conf import settings

        from workers.devices import Slots, devices
        from workers.worker import run  # the models can be imported only now

    settings.LOGGING_CONFIG = (
        None  # Celery sets Django up once more, which would bring the web's logging back
    )
    line = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=line, force=True)  # instead of the web's, who says less
    logging.getLogger("celery").setLevel(logging.WARNING)  # messages say nothing that rows do not
    warnings.filterwarnings("ignore", message="You're running the worker with superuser", module="celery")
    slots = arguments.slots or (int(settings.MULBERRY_SLOTS) if settings.MULBERRY_SLOTS else None)
    per_slot = arguments.devices_per_slot or settings.MULBERRY_DEVICES_PER_SLOT
    try:
        places = Slots(devices(slots, per_slot))
    except ValueError as error:
        parser.error(str(error))
    return run(arguments.queues, places)


if __name__ == "__main__":
    sys.exit(main())
