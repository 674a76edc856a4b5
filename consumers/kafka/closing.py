"""Closes Kafka clients without losing a cancellation. Opens none."""

import asyncio
from collections.abc import Coroutine
from typing import Any

CLOSED_WITHIN_S = 5.0
"""Longest wait for a client's end: where the broker is gone it may never come."""


async def closed(closing: Coroutine[Any, Any, None]) -> None:
    """Waits for `client.close()` in a task of its own, for at most CLOSED_WITHIN_S.

    `AIOKafkaClient.close` of aiokafka 0.14 awaits a task of its own with `suppress(CancelledError)`: a cancellation of
    the caller that came meanwhile would be lost, and the caller would go on for ever.
    """
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.wait({task}, timeout=CLOSED_WITHIN_S)
    finally:
        task.cancel()
    if task.done() and not task.cancelled():
        task.result()
