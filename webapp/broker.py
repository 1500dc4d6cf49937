"""Celery's filesystem transport with whole messages: written aside, then renamed, so no reader sees half of one."""

import uuid
from pathlib import Path
from time import monotonic_ns
from typing import Any

from django.conf import settings
from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """kombu's own channel opens the message's file before it writes, and a worker may take it while empty."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        folder = Path(self.data_folder_out)
        name = f"{monotonic_ns() // 1_000_000}_{uuid.uuid4()}"
        aside = folder / f"{name}.partial"
        aside.write_bytes(str_to_bytes(dumps(payload)))
        aside.rename(folder / f"{name}.{queue}.msg")


class Transport(filesystem.Transport):
    """What `filesystem://` means in Mulberry."""

    Channel = Channel


def transport_options() -> dict[str, object]:
    """Make the folders of the broker under MULBERRY_HOME, private to the user, and say where they are."""
    folder = settings.MULBERRY_HOME / "broker"
    messages, control = folder / "messages", folder / "control"
    for path in (messages, control):
        path.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": control,
        "polling_interval": 0.2,
    }
