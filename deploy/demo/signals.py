"""Ends a program at a signal. Installs signal handlers only while its context is open."""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent by Ctrl-C, by a service manager, and when the terminal is closed."""


@contextmanager
def end_signals() -> Iterator[asyncio.Event]:
    """Yields an event that the first of the signals sets. Further signals have no effect."""
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for number in ENDING:
        loop.add_signal_handler(number, end.set)
    try:
        yield end
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


async def until_set(end: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Returns the result of `work`; None once `end` is set, which cancels `work` and drops its errors."""
    waiting = asyncio.ensure_future(end.wait())
    working = asyncio.ensure_future(work)
    await asyncio.wait((waiting, working), return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, working):
        task.cancel()
    await asyncio.gather(waiting, working, return_exceptions=True)
    return None if end.is_set() else working.result()
