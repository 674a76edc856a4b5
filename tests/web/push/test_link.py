"""On a server that says whether a client takes what is sent: no task for a frame, and the newest for who was slow."""

import asyncio

import pytest

from service.domain.tickets.ticket import Ticket
from service.web.server.link import EXTENSION
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.set_link import SetLink
from tests.web.push.streaming.streams import Pushing, later
from tests.web.world import QUERY

OPEN = "3745"


async def begun(pushing: Pushing) -> tuple[Stream, SetLink]:
    link = SetLink()
    stream = await pushing.request(
        "GET", f"{QUERY}&filterIds=all", pushing.world.headers(), extensions={EXTENSION: link}
    )
    assert (await stream.next()).name == "snapshot"
    return stream, link


def senders() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "stream"]


async def test_the_connection_is_told_to_hold_nothing(pushing: Pushing) -> None:
    _, link = await begun(pushing)
    assert link.held_nothing == 1


async def test_all_streams_of_a_view_are_told_without_a_task_for_each(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [(await begun(pushing))[0] for _ in range(200)]
    await later(1)
    monkeypatch.setattr(pushing.hub._group, "create_task", None)  # whoever wanted one would fail
    await pushing.add(Ticket(OPEN, 0))
    for stream in streams:
        assert (await stream.next()).data["counts"] == {"all": 6}


async def test_who_was_slow_is_sent_the_newest_and_nothing_that_was_newest_before(pushing: Pushing) -> None:
    (slow, link), (quick, _) = await begun(pushing), await begun(pushing)
    link.fill()
    for _ in range(20):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.25)
    assert len(slow.sent) == 1
    assert len(quick.sent) == 21
    assert len(senders()) == 1
    link.empty()
    assert (await slow.next()).data["counts"] == {"all": 25}
    await later(1)
    assert len(slow.sent) == 2
    assert pushing.hub.tally.conflated == 19
    assert senders() == []


async def test_a_slow_client_is_told_of_the_end_once_it_takes_something(pushing: Pushing) -> None:
    stream, link = await begun(pushing)
    link.fill()
    pushing.hub.drain()
    await later(10)
    assert not stream.ended
    link.empty()
    assert [event.data["reason"] for event in await stream.rest()] == ["drain"]


async def test_a_client_that_leaves_while_its_link_is_full(pushing: Pushing) -> None:
    stream, link = await begun(pushing)
    link.fill()
    await pushing.add(Ticket(OPEN, 0))
    await later(1)
    await stream.leave()
    await later(0)
    assert pushing.is_idle()
    assert senders() == []


async def test_heartbeats_go_on(pushing: Pushing) -> None:
    stream, _ = await begun(pushing)
    for _ in range(3):
        assert (await stream.next()).name == "heartbeat"
    assert stream.times() == [0, 15, 30, 45]
