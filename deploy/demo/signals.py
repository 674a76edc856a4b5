"""Asking a program of this package to end. Installs handlers only while its context is open."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, and a closed terminal."""


@contextmanager
def asked_to_end() -> Iterator[asyncio.Event]:
    """An event that is set by the first of these signals; more of them change nothing."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in ENDING:
        loop.add_signal_handler(number, asked.set)
    try:
        yield asked
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


async def unless_asked(ending: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What `work` returns, or None when the end was asked for: then it is cancelled, and what it raises is nothing."""
    ended = asyncio.ensure_future(ending.wait())
    worked = asyncio.ensure_future(work)
    await asyncio.wait((ended, worked), return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, worked):
        task.cancel()
    await asyncio.gather(ended, worked, return_exceptions=True)
    return None if ending.is_set() else worked.result()
