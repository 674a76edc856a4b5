"""How often the event loop turns while something works: work that holds it has no turns. Measures no time."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def turns_of_others(work: Awaitable[T]) -> tuple[int, T]:
    """How often something else in the loop had its turn during the work, and what came of that."""
    counted = 0

    async def count() -> None:
        nonlocal counted
        while True:
            counted += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    result = await work
    counting.cancel()
    return counted, result
