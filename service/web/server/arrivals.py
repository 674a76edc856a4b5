"""Parses the large reads of all connections in shared slices, so that many at once don't hold the event loop."""

import asyncio
from collections import OrderedDict
from typing import Protocol

from service.turns import Turns, one_per_loop, slices


class Held(Protocol):
    """A connection with bytes that wait to be parsed."""

    @property
    def is_arriving(self) -> bool:
        """Whether part of a request is parsed already. Such a connection goes first, because that part takes memory."""

    def parse_held(self, turns: Turns) -> bool:
        """Parses one piece, and more until the slice is over. Returns whether nothing is left."""


class Arrivals:
    """The queue of one event loop's connections with bytes to parse, first come, first served."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Held, None] = OrderedDict()
        self._place: asyncio.Future[None] | None = None

    def add(self, connection: Held) -> None:
        """Parses the connection's bytes in its turn: at once if no slice is under way or waited for."""
        self._waiting[connection] = None
        if connection.is_arriving:
            self._waiting.move_to_end(connection, last=False)
        if self._place is None:
            if slices().begin():
                self._parse()
            else:
                self._queue()

    def discard(self, connection: Held) -> None:
        """Forgets the connection, if it waits."""
        self._waiting.pop(connection, None)

    def _queue(self) -> None:
        self._place = slices().next()
        self._place.add_done_callback(self._go_on)

    def _go_on(self, place: "asyncio.Future[None]") -> None:
        self._place = None
        if not place.cancelled():
            self._parse()

    def _parse(self) -> None:
        turns = Turns()
        while self._waiting:
            first = next(iter(self._waiting))
            if first.parse_held(turns):
                self.discard(first)
            if turns.over:
                break
        if self._waiting and self._place is None:
            self._queue()


arrivals = one_per_loop(Arrivals)
