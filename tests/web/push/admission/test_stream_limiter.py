"""Nothing is left of a stream, however it ends: no place, no view, no task."""

import asyncio
import json

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from service.domain.tickets.ticket import Ticket
from tests.web.push.streaming.streams import STREAM, Pushing, a_pushing_world, later
from tests.web.world import NOW_S, QUERY, World

ASKED = f"{QUERY}&filterIds=all"


async def tasks_of(pushing: Pushing) -> int:
    """Tasks that run now, after what has ended was given a turn to go."""
    await later(0.001)
    return len(asyncio.all_tasks())


async def baseline(pushing: Pushing) -> int:
    """Tasks of an idle hub that has had a stream before."""
    await (await pushing.open()).leave()
    return await tasks_of(pushing)


async def open_streams(world: World) -> float:
    text = (await world.client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return sum(sample.value for sample in families["ticket_counts_streams_open"].samples)


async def test_a_client_that_leaves_is_gone_at_once(pushing: Pushing) -> None:
    idle = await baseline(pushing)
    streams = [await pushing.open(*ids) for ids in (("all",), ("all",), ("3745",))]
    for stream in streams:
        await stream.next()
    assert await open_streams(pushing.world) == 3
    for left, stream in enumerate(reversed(streams)):
        await stream.leave()
        assert pushing.hub.open_streams == 2 - left
    assert pushing.is_idle()
    assert await tasks_of(pushing) == idle
    assert await open_streams(pushing.world) == 0


async def test_a_client_that_leaves_before_the_first_byte(pushing: Pushing) -> None:
    idle = await baseline(pushing)
    for turns in range(12):
        stream = pushing.begun("GET", ASKED, pushing.world.headers())
        for _ in range(turns):
            await asyncio.sleep(0)
        await stream.leave()
        assert pushing.is_idle()
    assert await tasks_of(pushing) == idle


@pytest.mark.parametrize("turns", range(16))
async def test_a_request_that_is_cancelled_at_any_point(pushing: Pushing, turns: int) -> None:
    idle = await baseline(pushing)
    stream = pushing.begun("GET", ASKED, pushing.world.headers())
    for _ in range(turns):
        await asyncio.sleep(0)
    stream.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream.task
    pushing._streams.remove(stream)
    assert pushing.is_idle()
    assert await tasks_of(pushing) == idle


async def test_a_client_that_stalls_and_then_leaves(pushing: Pushing) -> None:
    idle = await baseline(pushing)
    stream = await pushing.open()
    await stream.next()
    stream.stop_reading()
    await pushing.add(Ticket("3745", 0))
    await later(1)
    assert stream.pending == 1
    await stream.leave()
    assert pushing.is_idle()
    assert await tasks_of(pushing) == idle


async def test_a_connection_that_breaks_while_something_is_sent(pushing: Pushing) -> None:
    idle = await baseline(pushing)
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)
        if len(sent) == 3:
            raise ConnectionResetError

    scope = {
        "type": "http",
        "method": "GET",
        "path": STREAM,
        "root_path": "",
        "query_string": ASKED.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in pushing.world.headers().items()],
        "client": None,
        "scheme": "http",
    }
    request = asyncio.ensure_future(pushing.world.app(scope, receive, send))
    await later(1)
    await pushing.add(Ticket("3745", 0))
    await asyncio.wait_for(request, 1)
    assert len(sent) == 3, "nothing is sent to who is gone"
    assert pushing.is_idle()
    assert await tasks_of(pushing) == idle


async def test_every_kind_of_bye_and_refusal(pushing: Pushing) -> None:
    idle = await baseline(pushing)
    for bearer in (pushing.world.token(exp=NOW_S + 30), pushing.world.token(exp=NOW_S + 5_000)):
        await (await pushing.open(bearer=bearer)).rest()
    await (await pushing.open("nope", bearer=pushing.world.token(exp=NOW_S + 5_000))).rest()
    for away in (True, False):
        pushing.world.store.away = away
        await (await pushing.open(bearer=pushing.world.token(exp=NOW_S + 30))).rest()
    pushing.hub.drain()
    await (await pushing.open(bearer=pushing.world.token(exp=NOW_S + 5_000))).rest()
    assert pushing.is_idle()
    assert await tasks_of(pushing) == idle


async def test_a_view_goes_on_while_one_of_its_streams_is_left(pushing: Pushing) -> None:
    first, second = await pushing.open(), await pushing.open()
    await first.leave()
    await pushing.add(Ticket("3745", 0))
    await second.next()
    assert (await second.next()).data["counts"] == {"all": 6}


async def test_a_ticket_takes_no_place(pushing: Pushing) -> None:
    await pushing.ticket()
    assert pushing.is_idle()


async def test_a_hub_that_ends_ends_its_views() -> None:
    async with a_pushing_world() as pushing:
        async with pushing.world.hub.running(pushing.listen):
            stream = await pushing.open()
            await stream.next()
        views = list(pushing.hub._views.values())
        assert all(view._refreshing is not None and view._refreshing.done() for view in views)


async def test_streams_are_counted_but_have_no_duration_and_one_line_when_they_end(pushing: Pushing) -> None:
    stream = await pushing.open()
    await stream.next()
    assert pushing.world.lines == []
    await later(100)
    await stream.leave()
    await (await pushing.open("nope")).rest()
    line, refused = (json.loads(line) for line in pushing.world.lines)
    assert (line["path"], line["status"], line["user"]) == (STREAM, 200, "ann")
    assert (refused["status"], refused["refused"]) == (422, "INVALID_FILTER_ID")
    text = (await pushing.world.client.get("/metrics")).text
    assert f'ticket_counts_http_requests_total{{method="GET",path="{STREAM}",status="200"}} 1.0' in text
    assert f'duration_seconds_count{{path="{STREAM}"}} 1.0' in text, "the refusal alone"
