"""Whatever happens in whatever order, once it stops every reader shows what the store holds, and none went back."""

import asyncio
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.ticket import Ticket
from tests.web.push.asgi_stream import Stream
from tests.web.push.event_stream import state_after
from tests.web.push.streams import Pushing, a_pushing_world, later
from tests.web.push.virtual_time import VirtualTimeLoop
from tests.web.world import TENANT

IDS = ("all", "3745")
SETTLED_S = 10.0
"""Two looks of a view without a hint."""

HAPPENINGS = ("change", "silent change", "stall", "read on", "stale", "well", "away", "back", "gap", "epoch", "leave")

stories = st.lists(
    st.tuples(st.sampled_from((*HAPPENINGS, "join", "join")), st.sampled_from((0.0, 0.03, 0.1, 1.0, 7.0))), max_size=40
)


@settings(max_examples=80, deadline=None)
@given(stories)
def test_every_reader_ends_at_the_newest_state_and_never_went_back(story: list[tuple[str, float]]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(_lived_through(story))


class Reader:
    """A client that shows what it is told, from what it showed before it came back."""

    def __init__(self, stream: Stream, shown: Mapping[str, Any]) -> None:
        self.stream = stream
        self._before = shown

    def shown(self) -> Mapping[str, Any]:
        return state_after((event for _, event in self.stream.sent), self._before)

    def check(self) -> None:
        """No version below the one before it, but in another epoch, and no epoch comes again."""
        epochs: dict[str, int] = {}
        for _, event in self.stream.sent:
            assert event.version >= epochs.get(event.epoch, 0)
            assert event.epoch in list(epochs)[-1:] or event.epoch not in epochs
            epochs[event.epoch] = event.version


async def _lived_through(story: list[tuple[str, float]]) -> None:
    async with a_pushing_world() as pushing:
        readers = [Reader(await pushing.open(*IDS), {})]
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
        reader.stream.read_on()
    await later(SETTLED_S)


async def _happen(what: str, pushing: Pushing, readers: list[Reader]) -> None:
    store = pushing.world.store
    match what:
        case "change" | "silent change":
            await pushing.add(Ticket("3745", 0), hinted=what == "change")
        case "stall":
            readers[0].stream.stop_reading()
        case "read on":
            readers[0].stream.read_on()
        case "stale" | "well":
            pushing.lag(9_000 if what == "stale" else 0)
        case "away" | "back":
            store.away = what == "away"
        case "gap":
            pushing.gap()
        case "epoch":
            await store.new_epoch(store.bucket(TENANT))
        case "leave" if len(readers) > 1:
            await readers.pop(0).stream.leave()
        case "join":
            await _join(pushing, readers)


async def _join(pushing: Pushing, readers: list[Reader]) -> None:
    """Somebody comes back with what another one shows."""
    shown = readers[-1].shown()
    stream = await pushing.open(*IDS, headers={"last-event-id": shown["version"]})
    if stream.status == 200:
        readers.append(Reader(stream, shown))
