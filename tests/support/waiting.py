"""Waiting for a condition with a limit. Polls; never a bare sleep and never without an end."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

POLL_S = 0.02  # below what a person notices, above what costs a core

T = TypeVar("T")


@overload
async def wait_until(predicate: Callable[[], Awaitable[T]], timeout_s: float, what: str) -> T: ...
@overload
async def wait_until(predicate: Callable[[], T], timeout_s: float, what: str) -> T: ...
async def wait_until(predicate: Callable[[], T | Awaitable[T]], timeout_s: float, what: str) -> T:
    """The first truthy answer of `predicate` (plain or async) within `timeout_s` seconds.

    Raises AssertionError naming `what` and the last answer; what `predicate` raises is passed on.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answer = await _ask(predicate, max(deadline - time.monotonic(), POLL_S), f"waited {timeout_s} s for {what}")
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}; last answer: {answer!r}")
        await asyncio.sleep(POLL_S)


def wait_until_blocking(predicate: Callable[[], T], timeout_s: float, what: str) -> T:
    """Like `wait_until`, for code outside an event loop (fixtures, servers)."""
    deadline = time.monotonic() + timeout_s
    while not (answer := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}; last answer: {answer!r}")
        time.sleep(POLL_S)
    return answer


async def _ask(predicate: Callable[[], T | Awaitable[T]], limit_s: float, waited: str) -> T:
    asked = predicate()
    if not inspect.isawaitable(asked):
        return asked
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return await asked
    except TimeoutError:
        if not limit.expired():  # the predicate's own
            raise
        raise AssertionError(f"{waited}; no answer in time") from None
