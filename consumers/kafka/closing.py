"""Closes Kafka clients without losing a cancellation. Never creates one."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from consumers.fetching.reader import RecordReader

CLOSED_WITHIN_S = 5.0
"""Longest wait for a client to close: without its broker it may never return."""

STOPPED_WITHIN_S = 3.0
"""Longest wait for a command's reader to stop: a broker that hangs must not delay the exit."""


async def closed(closing: Coroutine[Any, Any, None]) -> None:
    """Waits for `client.close()`, for at most CLOSED_WITHIN_S. Raises the errors of `closing`.

    `AIOKafkaClient.close` in aiokafka 0.14 awaits its own task with `suppress(CancelledError)`. Awaited directly, it
    would swallow a cancellation of the caller, which would then run for ever. So it runs in a task.
    """
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.wait({task}, timeout=CLOSED_WITHIN_S)
    finally:
        task.cancel()
    if task.done() and not task.cancelled():
        task.result()


@asynccontextmanager
async def running(reader: RecordReader) -> AsyncIterator[RecordReader]:
    """Starts the reader, and stops it when the context ends. Drops errors of the stop, since the command ends then.

    Raises KafkaError at the start.
    """
    try:
        await reader.start()
        yield reader
    finally:
        stopping = asyncio.ensure_future(reader.stop())
        await asyncio.wait({stopping}, timeout=STOPPED_WITHIN_S)
        if not stopping.cancel() and not stopping.cancelled():
            stopping.exception()  # retrieve it, or asyncio logs it as never retrieved
