"""Reads of the database that open streams share: a few threads for all of them, and one read for all that want the same.

A stream that waits holds neither a thread nor a connection. Django keeps a thread for each request until its response is
over, which for a stream may be days, so a stream ends its request's thread when it begins.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import connection

THREADS = 4  # of the 16 pooled connections, so that pages find one however many streams read


class SharedReads:
    """Reads in a few threads; those that wait for the same are done once."""

    def __init__(self, threads: int = THREADS) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="streams")
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Future[Any]] = {}  # reads that have not begun

    async def read(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """What `read` returns; `key` says all that this depends on beside the database.

        The read begins after this call, so it sees what was committed before it: a read of the same key is shared only as
        long as it has not begun.
        """
        with self._lock:
            found = self._waiting.get(key)
            if found is None:
                found = self._waiting[key] = self._executor.submit(self._begin, key, read)
        return await asyncio.shield(
            asyncio.wrap_future(found)
        )  # others may wait for it when this page leaves

    def _begin(self, key: Hashable, read: Callable[[], Any]) -> Any:
        with self._lock:
            del self._waiting[key]
        try:
            return read()
        finally:
            connection.close()  # back to the pool


SHARED_READS = SharedReads()


def end_request_thread() -> None:
    """End the thread in which Django ran this request's synchronous code; what comes later starts another one."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    thread = SyncToAsync.context_to_thread_executor.pop(context, None) if context else None
    if thread is not None:
        thread.shutdown(wait=False)
