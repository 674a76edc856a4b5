"""Confirms that something isn't in force. A store that never had the whole catalogue can't tell."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.domain.tenants.view import Warming

Found = TypeVar("Found")


async def confirmed(
    read: Callable[[], Awaitable[Found | None]], is_whole: Callable[[], Awaitable[bool]]
) -> Found | None:
    """What `read` finds; None only where the store had everything before it was read.

    Raises Warming while it hasn't, and what the two raise.
    """
    found = await read()
    if found is not None:
        return found
    await check(is_whole)
    return await read()  # it may have come between the two


async def check(is_whole: Callable[[], Awaitable[bool]]) -> None:
    """Raises Warming while the store has never had everything."""
    if not await is_whole():
        raise Warming("this Redis has not had the whole catalogue yet", loading=True)
