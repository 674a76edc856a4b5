"""Confirms that something doesn't exist, which only a store that has had the whole catalogue can tell. Never writes."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.domain.tenants.view import Warming

Found = TypeVar("Found")


async def confirmed(
    read: Callable[[], Awaitable[Found | None]], is_whole: Callable[[], Awaitable[bool]]
) -> Found | None:
    """Returns what `read` finds; None only when the store had everything before the read.

    Raises Warming while the store has never had everything, and the errors of the two callables.
    """
    found = await read()
    if found is not None:
        return found
    await check(is_whole)
    return await read()  # it may have been written between the first read and the check


async def check(is_whole: Callable[[], Awaitable[bool]]) -> None:
    """Raises Warming until the store has had everything once."""
    if not await is_whole():
        raise Warming("this Redis has not had the whole catalogue yet", loading=True)
