"""A connection that takes what is sent when a test says so. Asserts nothing."""

import asyncio


class SetLink:
    """A link that is full when a test says so."""

    def __init__(self) -> None:
        self.held_nothing = 0
        self._free = asyncio.Event()
        self._free.set()

    @property
    def is_full(self) -> bool:
        return not self._free.is_set()

    async def writable(self) -> None:
        await self._free.wait()

    def hold_nothing(self) -> None:
        self.held_nothing += 1

    def fill(self) -> None:
        self._free.clear()

    def empty(self) -> None:
        self._free.set()
