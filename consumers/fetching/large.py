"""Work on large records, in one thread beside the event loop: one piece at a time, so that its memory is bounded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

LARGE_BYTES = 256 * 1024
"""From here on checksums, unpacking, hashes and packing take long enough to hold up the loop: 1 ms and more."""

_WORKER = ThreadPoolExecutor(1, thread_name_prefix="large-records")

Result = TypeVar("Result")


async def beside_the_loop(call: Callable[[], Result]) -> Result:
    """What the call returns. Where this is cancelled, the call still runs to its end, and its result is forgotten."""
    return await asyncio.get_running_loop().run_in_executor(_WORKER, call)
