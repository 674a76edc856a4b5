"""All live views of this process, by what they show and by tenant. One subscription to hints serves them all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

from service.store.reading import Reading
from service.web.push.live_view import LiveView, ViewKey
from service.web.push.state import State

Listen = Callable[[Callable[[str], None], Callable[[], None]], Coroutine[Any, Any, None]]
"""Follows hints for ever: calls the first with a tenant, the second after a gap."""


DRAIN_SPREAD_S = 2.0
"""Streams of a process that ends say so over this time, so that they don't all come back at once."""


class Seat(NamedTuple):
    """A stream's place in a view: it begins with `state`, and `woken` is set when there is something new for it."""

    view: LiveView
    woken: asyncio.Event
    state: State


class Hub:
    """Views live while a stream shows them, and are kept newest inside `running()`."""

    def __init__(self, reading: Reading, drain_spread_s: float = DRAIN_SPREAD_S) -> None:
        self._reading = reading
        self.drain_spread_s = drain_spread_s
        self._views: dict[ViewKey, LiveView] = {}
        self._by_tenant: dict[str, set[LiveView]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.seats = 0
        """Streams open now: those that only wait for their first state are none yet."""
        self.draining = False

    @asynccontextmanager
    async def running(self, listen: Listen) -> AsyncIterator["Hub"]:
        """Follows hints and views while the context is open."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            hints = group.create_task(listen(self._changed, self._gap), name="hints")
            try:
                yield self
            finally:
                self._group = None
                hints.cancel()
                for view in self._views.values():
                    view.stop()

    def drain(self) -> None:
        """The process is about to end: every stream says so, and ends."""
        self.draining = True
        for view in self._views.values():
            view.wake()

    @asynccontextmanager
    async def seat(self, key: ViewKey) -> AsyncIterator[Seat]:
        """A place in the view, which has a state and is kept newest while the context is open.

        Registers before it reads, so that no change falls in between. Raises what `Reading.answer` does.
        """
        view = self._views.get(key)
        if view is None or view.ended:
            view = self._views[key] = LiveView(key, self._reading)
            self._by_tenant.setdefault(key.tenant_id, set()).add(view)
        woken = asyncio.Event()
        view.waiting.add(woken)
        try:
            state = await view.begin()
            if self._group is not None:
                view.start(self._group)
            with self._counted():
                yield Seat(view, woken, state)
        finally:
            view.waiting.discard(woken)
            if not view.waiting:
                self._forget(view)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.seats += 1
        try:
            yield
        finally:
            self.seats -= 1

    def _forget(self, view: LiveView) -> None:
        view.stop()
        if self._views.get(view.key) is view:
            del self._views[view.key]
        tenant = self._by_tenant.get(view.key.tenant_id, set())
        tenant.discard(view)
        if not tenant:
            self._by_tenant.pop(view.key.tenant_id, None)

    def _changed(self, tenant_id: str) -> None:
        for view in self._by_tenant.get(tenant_id, ()):
            view.touch()

    def _gap(self) -> None:
        for view in self._views.values():
            view.touch()
