"""Closes Kafka clients without losing a cancellation. Never opens one."""

import asyncio
from collections.abc import Coroutine
from typing import Any

CLOSED_WITHIN_S = 5.0
"""Longest wait for a client to close: without its broker it may never return."""


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
