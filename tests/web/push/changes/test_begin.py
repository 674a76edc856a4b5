"""How a stream begins: with all there is, or with `current` for who has it already."""

import asyncio
import itertools

import pytest

from service.domain.tickets.ticket import Ticket
from service.store.ports.reading import CountQuery, Snapshot
from tests.support.waiting import wait_until
from tests.web.push.streaming.streams import Pushing
from tests.web.world import QUERY, TICKETS

IDS = ("all", "3745", "7472")


async def test_the_snapshot_comes_first_with_every_key_and_equals_an_http_read(pushing: Pushing) -> None:
    stream = await pushing.open(*IDS, timezone="Asia/Calcutta")
    assert stream.status == 200
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store"
    first = await stream.next()
    answer = await pushing.world.post(IDS, timezone="Asia/Calcutta")
    data = answer.json()["data"]
    assert first.name == "snapshot"
    assert first.data == {
        **{name: data[name] for name in ("counts", "filterDetails", "summary", "timezone")},
        "computedAt": first.data["computedAt"],
        "asOf": "2027-01-15T07:59:55.123Z",
        "fresh": True,
        "version": first.id,
    }
    assert first.data["counts"]["all"] == len(TICKETS)
    assert first.data["computedAt"] == "2027-01-15T08:00:00.123Z"
    assert f"{first.epoch}.{first.version}" == answer.headers["x-counts-version"]
    assert first.retry_ms is not None
    assert 1_000 <= first.retry_ms <= 5_000


async def test_the_id_is_the_etag_of_the_same_question(pushing: Pushing) -> None:
    first = await (await pushing.open("all", "3745")).next()
    answer = await pushing.world.get("filterIds=all,3745&timezone=UTC")
    assert answer.headers["etag"] == f'W/"{first.id}"'


async def test_a_post_streams_what_its_body_asks_for(pushing: Pushing) -> None:
    stream = await pushing.post({"filterIds": ["3748"], "timezone": "Europe/Oslo"})
    data = (await stream.next()).data
    assert (data["counts"], data["timezone"]) == ({"3748": 2}, "Europe/Oslo")


async def test_as_of_is_null_before_the_first_event(pushing: Pushing) -> None:
    bearer = pushing.world.token(realm="other", org={"tenants": ["globex"]})
    headers = pushing.world.headers(bearer, "globex", "other")
    stream = await pushing.request("GET", "type=template&module=ticketing&filterIds=all", headers)
    data = (await stream.next()).data
    assert (data["asOf"], data["counts"]) == (None, {"all": 0})


@pytest.mark.parametrize("way", ["header", "query"])
async def test_who_has_it_already_is_told_so(pushing: Pushing, way: str) -> None:
    before = await (await pushing.open(*IDS)).next()
    if way == "header":
        stream = await pushing.open(*IDS, headers={"last-event-id": before.id})
    else:
        stream = await pushing.open(*IDS, query=f"&last_event_id={before.id}")
    first = await stream.next()
    assert (first.name, first.id) == ("current", before.id)
    assert first.data == {"version": before.id, "asOf": before.data["asOf"], "fresh": True}
    assert first.retry_ms is not None
    await pushing.add(Ticket("3745", 0))
    assert (await stream.next()).data["counts"] == {"all": 6, "3745": 4}


async def test_the_header_is_taken_before_the_query(pushing: Pushing) -> None:
    before = await (await pushing.open()).next()
    stream = await pushing.open(query=f"&last_event_id={before.id}", headers={"last-event-id": "old"})
    assert (await stream.next()).name == "snapshot"
    stream = await pushing.open(query="&last_event_id=old", headers={"last-event-id": before.id})
    assert (await stream.next()).name == "current"


@pytest.mark.parametrize("garbage", ["", "x", "1.2.3", "%FF%FE", "%00", "%0A%0Adata:%20x", "ü", "9" * 5_000])
async def test_garbage_is_as_good_as_no_id(pushing: Pushing, garbage: str) -> None:
    stream = await pushing.open(query=f"&last_event_id={garbage}")
    assert (await stream.next()).name == "snapshot"


@pytest.mark.parametrize("garbage", ["", "x", "ü", "0.0.0", "a.b.c.d", '"quoted"'])
async def test_garbage_in_the_header_is_as_good_as_no_id(pushing: Pushing, garbage: str) -> None:
    stream = await pushing.open(headers={"last-event-id": garbage})
    assert (await stream.next()).name == "snapshot"


async def test_an_id_of_another_version_view_or_epoch_gets_a_snapshot(pushing: Pushing) -> None:
    before = await (await pushing.open()).next()
    for asked in ({"bearer": pushing.world.token("bob")}, {"timezone": "Asia/Tokyo"}):
        stream = await pushing.open(headers={"last-event-id": before.id}, **asked)
        assert (await stream.next()).name == "snapshot"
    stream = await pushing.open("all", "3745", headers={"last-event-id": before.id})
    assert (await stream.next()).name == "snapshot"
    await pushing.world.store.new_epoch(pushing.world.store.bucket("acme"))
    stream = await pushing.open(headers={"last-event-id": before.id})
    assert (await stream.next()).name == "snapshot"
    current = await (await pushing.open()).next()
    await pushing.add(Ticket("3745", 0))
    stream = await pushing.open(headers={"last-event-id": current.id})
    assert (await stream.next()).name == "snapshot"


async def test_a_stream_opened_after_a_change_shows_it_even_where_its_view_has_not_heard_of_it(
    pushing: Pushing,
) -> None:
    early = await pushing.open()
    await early.next()
    await pushing.add(Ticket("3745", 0), hinted=False)
    late = await pushing.open()
    assert (await late.next()).data["counts"] == {"all": 6}
    assert (await early.next()).data["counts"] == {"all": 6}
    assert early.times()[-1] <= 0.1, "whoever comes brings the news to the others"


async def test_streams_of_one_question_share_a_view_and_others_do_not(pushing: Pushing) -> None:
    for _ in range(3):
        await (await pushing.open()).next()
    assert (pushing.hub.open_streams, len(pushing.hub._views)) == (3, 1)
    await (await pushing.open(bearer=pushing.world.token("bob", "ticket_user"))).next()
    await (await pushing.open("3745")).next()
    assert (pushing.hub.open_streams, len(pushing.hub._views)) == (5, 3)


async def test_streams_of_one_view_that_open_together_share_a_read(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, world = pushing.world.store, pushing.world
    read, reads, go = store.snapshot, itertools.count(), asyncio.Event()

    async def slow(query: CountQuery) -> Snapshot | None:
        next(reads)
        await go.wait()
        return await read(query)

    monkeypatch.setattr(store, "snapshot", slow)
    bearer = world.token()
    opening = [asyncio.create_task(pushing.open("all", "3745", bearer=bearer)) for _ in range(40)]

    async def all_wait() -> bool:
        return [view.pending for view in pushing.hub._views.values()] == [len(opening)]

    await wait_until(all_wait, 30, "the streams to wait for their first state")
    await pushing.add(Ticket("3745", 0))
    late = asyncio.create_task(pushing.open("all", "3745", bearer=bearer))
    go.set()
    firsts = [await (await stream).next() for stream in [*opening, late]]
    assert [first.name for first in firsts] == ["snapshot"] * 41
    assert firsts[-1].data["counts"] == {"all": 6, "3745": 4}
    assert next(reads) <= 3, "one under way, one for all who came meanwhile, and one for the change"


async def test_a_failure_is_shared_too_and_the_next_stream_reads_anew(pushing: Pushing) -> None:
    pushing.world.store.away = True
    refused = [pushing.begun("GET", f"{QUERY}&filterIds=all", pushing.world.headers()) for _ in range(3)]
    assert [(await stream.started()).status for stream in refused] == [503] * 3
    pushing.world.store.away = False
    assert (await (await pushing.open()).next()).name == "snapshot"
