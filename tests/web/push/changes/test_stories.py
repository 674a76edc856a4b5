"""Whatever happens in whatever order, once it stops every reader shows what the store holds, and none went back."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.tickets.ticket import Ticket
from service.web.server.link import EXTENSION
from tests.support.examples import examples
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.event_stream import Event, state_after
from tests.web.push.streaming.set_link import SetLink
from tests.web.push.streaming.streams import Pushing, a_pushing_world, later
from tests.web.push.streaming.virtual_time import VirtualTimeLoop
from tests.web.world import QUERY, TENANT

IDS = ("all", "3745")
SETTLED_S = 10.0
"""Two looks of a view without a hint."""

HAPPENINGS = (
    "change", "silent change", "stall", "read on", "stale", "well", "away", "back", "gap", "epoch", "leave",
    "reconnect",
)  # fmt: skip

stories = st.lists(
    st.tuples(st.sampled_from((*HAPPENINGS, "join", "join")), st.sampled_from((0.0, 0.03, 0.1, 1.0, 7.0))), max_size=40
)


@settings(max_examples=examples(100), deadline=None)
@given(stories)
def test_every_reader_ends_at_the_newest_state_and_never_went_back(story: list[tuple[str, float]]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(_lived_through(story))


class Reader:
    """A client that shows what it is told, over all the streams that it opens one after another.

    Every other one is on a server that says whether its clients take what is sent.
    """

    def __init__(self, pushing: Pushing, shown: Mapping[str, Any], *, linked: bool) -> None:
        self._pushing = pushing
        self._before = shown
        self._events: list[Event] = []
        self._linked = linked
        self._link = SetLink()
        self.stream: Stream | None = None

    async def connect(self) -> None:
        """With the id of what it shows; it stays without a stream when it is refused."""
        await self.leave()
        self._link = SetLink()
        known = {"last-event-id": str(self.shown().get("version", ""))}
        asked = f"{QUERY}&filterIds={','.join(IDS)}&timezone=UTC"
        extensions = {EXTENSION: self._link} if self._linked else {}
        headers = self._pushing.world.headers() | known
        stream = await self._pushing.request("GET", asked, headers, extensions=extensions)
        self.stream = stream if stream.status == 200 else None

    async def leave(self) -> None:
        """Closes its connection; what has reached it stays."""
        if self.stream is not None:
            self._link.empty()
            await self.stream.leave()
            self._events, self.stream = self.events(), None

    def stall(self) -> None:
        if self.stream is not None:
            self._link.fill() if self._linked else self.stream.stop_reading()

    def read_on(self) -> None:
        self._link.empty()
        if self.stream is not None:
            self.stream.read_on()

    def events(self) -> list[Event]:
        return self._events + ([] if self.stream is None else [event for _, event in self.stream.sent])

    def shown(self) -> Mapping[str, Any]:
        return state_after(self.events(), self._before)

    def check(self) -> None:
        """No version below the one before it, but in another epoch, and no epoch comes again."""
        epochs: dict[str, int] = {}
        for event in self.events():
            assert event.version >= epochs.get(event.epoch, 0)
            assert event.epoch in list(epochs)[-1:] or event.epoch not in epochs
            epochs[event.epoch] = event.version


async def _lived_through(story: list[tuple[str, float]]) -> None:
    async with a_pushing_world() as pushing:
        readers: list[Reader] = []
        for linked in (False, True):
            readers.append(Reader(pushing, {}, linked=linked))
            await readers[-1].connect()
        for what, pause_s in story:
            await _happen(what, pushing, readers)
            await later(pause_s)
        await _calm_down(pushing, readers)
        answer = (await pushing.world.post(IDS)).json()["data"]
        for reader in readers:
            reader.check()
            shown = reader.shown()
            assert [shown[name] for name in ("counts", "summary")] == [answer[name] for name in ("counts", "summary")]
            assert shown["fresh"] is True


async def _calm_down(pushing: Pushing, readers: list[Reader]) -> None:
    pushing.world.store.away = False
    pushing.lag(0)
    for reader in readers:
        reader.read_on()
        if reader.stream is None:
            await reader.connect()
    await later(SETTLED_S)


async def _happen(what: str, pushing: Pushing, readers: list[Reader]) -> None:
    store = pushing.world.store
    match what:
        case "change" | "silent change":
            await pushing.add(Ticket("3745", 0), hinted=what == "change")
        case "stall":
            readers[0].stall()
        case "read on":
            readers[0].read_on()
        case "stale" | "well":
            pushing.lag(9_000 if what == "stale" else 0)
        case "away" | "back":
            store.away = what == "away"
        case "gap":
            pushing.gap()
        case "epoch":
            await store.new_epoch(store.bucket(TENANT))
        case "leave" if len(readers) > 1:
            await readers.pop(0).leave()
        case "reconnect":
            readers.append(readers.pop(0))
            await readers[-1].connect()
        case "join":
            readers.append(Reader(pushing, readers[-1].shown(), linked=len(readers) % 2 == 0))
            await readers[-1].connect()
