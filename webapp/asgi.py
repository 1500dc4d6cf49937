"""The dashboard's ASGI application: Django, with pooled connections and streams that end when the server does."""

import asyncio
import os
import signal
import threading
import warnings
from importlib import import_module
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application

from training.code_version import code_version
from training.process import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")


def _pool_connections() -> None:
    """Under ASGI each request has a thread of its own, so a connection kept by a thread is never used again."""
    database: dict[str, Any] = settings.DATABASES["default"]
    database["CONN_MAX_AGE"] = 0
    database["OPTIONS"] |= {"pool": {"min_size": 1, "max_size": 16, "timeout": 10}}


_pool_connections()
code_version()  # as of now, whatever is checked out while the server goes on
with collector.paused_for_imports():
    django = get_asgi_application()
    import_module(settings.ROOT_URLCONF)  # every page, else the first request would wait for it
# WhiteNoise hands out files by a synchronous iterator; Django reads them whole, which is right for small files.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators", Warning)

from webapp.live.stream import HUB  # noqa: E402 - models need Django to be set up


def _close_streams_on_signals() -> None:
    """Tell open streams to end as soon as the server is told to.

    A server waits for open responses before it ends, and it runs the lifespan's shutdown only after that, so the
    streams must hear of the signal itself.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # signals belong to whoever owns the main thread; it ends the server by its own means
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        before = signal.getsignal(number)

        def handle(number: int, frame: FrameType | None, before: Any = before) -> None:
            loop.call_soon_threadsafe(HUB.close)
            if callable(before):
                before(number, frame)

        signal.signal(number, handle)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Hand requests to Django, and answer the server's lifespan messages."""
    if scope["type"] != "lifespan":
        await django(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            _close_streams_on_signals()
        else:
            HUB.close()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
