"""How a stream ends: always by a `bye` that says why and when to come back, and always at once."""

import pytest

from service.domain.catalogue.catalogue import Profile
from service.domain.conditions.condition import AllOf
from service.domain.tickets.ticket import Ticket
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.event_stream import Event
from tests.web.push.streaming.streams import Pushing, a_pushing_world, later
from tests.web.world import FILTERS_IN_FORCE, NOW_S, PROFILES, TENANT

OPEN = "3745"


async def begun(pushing: Pushing, *ids: str, **how: str) -> Stream:
    stream = await pushing.open(*ids, **how)  # type: ignore[arg-type]
    assert (await stream.next()).name == "snapshot"
    return stream


async def ended(stream: Stream, reason: str) -> Event:
    """The stream's `bye`, after which there is nothing."""
    *_, bye = await stream.rest()
    assert (bye.name, bye.data) == ("bye", {"reason": reason, "version": bye.id})
    assert [event.name for _, event in stream.sent].count("bye") == 1
    assert bye.retry_ms is not None
    assert 1_000 <= bye.retry_ms <= 5_000
    return bye


async def test_a_stream_ends_at_its_tokens_expiry_to_the_moment(pushing: Pushing) -> None:
    stream = await begun(pushing, bearer=pushing.world.token(exp=NOW_S + 100))
    await ended(stream, "expired")
    # The clock stands some microseconds after the second.
    assert stream.times()[-1] == pytest.approx(100 - 0.123456, abs=0.001)
    again = await pushing.open(bearer=pushing.world.token(exp=NOW_S + 100))
    assert await again.error() == (401, "UNAUTHORIZED")


async def test_nothing_is_shown_after_the_tokens_expiry_even_to_a_slow_reader(pushing: Pushing) -> None:
    stream = await begun(pushing, bearer=pushing.world.token(exp=NOW_S + 100))
    await later(91)
    stream.stop_reading()
    await pushing.add(Ticket(OPEN, 0))
    await later(1)
    await pushing.add(Ticket(OPEN, 0))
    await later(30)
    stream.read_on()
    bye = await ended(stream, "expired")
    late = [event for _, event in stream.sent if event.name == "counts"]
    assert [event.data["counts"] for event in late] == [{"all": 6}], "only what was on its way already"
    assert bye.id == late[0].id, "the id names what the client shows"


async def test_a_change_at_the_moment_of_expiry_is_not_shown(pushing: Pushing) -> None:
    stream = await begun(pushing, bearer=pushing.world.token(exp=NOW_S + 100))
    await later(99.9)
    await pushing.add(Ticket(OPEN, 0))
    assert not any(event.name == "counts" for _, event in stream.sent)
    await ended(stream, "expired")
    assert not any(event.name == "counts" for _, event in stream.sent)


async def test_streams_rotate_after_eight_to_ten_minutes_not_all_at_once(pushing: Pushing) -> None:
    bearer = pushing.world.token(exp=NOW_S + 10_000)
    streams = [await begun(pushing, bearer=bearer) for _ in range(20)]
    for stream in streams:
        await ended(stream, "rotation")
    ages = [stream.times()[-1] for stream in streams]
    assert all(480 <= age <= 600 for age in ages)
    assert max(ages) - min(ages) > 20
    retries = {stream.sent[-1][1].retry_ms for stream in streams}
    assert len(retries) > 10


async def test_draining_ends_every_stream_within_its_spread_and_takes_no_new_one(pushing: Pushing) -> None:
    streams = [await begun(pushing) for _ in range(20)]
    await later(1)
    pushing.hub.drain()
    late = await pushing.open()
    assert (late.status, [event.name for event in await late.rest()]) == (200, ["bye"])
    assert late.sent[0][1].data["reason"] == "drain"
    for stream in streams:
        await ended(stream, "drain")
    ends = [stream.times()[-1] for stream in streams]
    assert all(1 <= end <= 1 + pushing.hub.drain_spread_s for end in ends)
    assert max(ends) - min(ends) > 0.5


async def test_the_byes_id_names_what_the_client_shows_and_not_what_came_since(pushing: Pushing) -> None:
    slow = await begun(pushing)
    other = await begun(pushing)
    pushing.hub.drain_spread_s = 0  # or there would be time to show the newest before the end
    slow.stop_reading()
    await pushing.add(Ticket(OPEN, 0))
    await other.next()
    await pushing.add(Ticket(OPEN, 0))
    await other.next()
    pushing.hub.drain()
    slow.read_on()
    bye = await ended(slow, "drain")
    assert slow.sent[-2][1].data["counts"] == {"all": 6}
    assert bye.id == slow.sent[-2][1].id
    assert bye.version == other.sent[-1][1].version - 1


async def test_the_byes_id_is_the_newest_that_looks_the_same(pushing: Pushing) -> None:
    how = {"bearer": pushing.world.token("rob", "ticket_user")}
    stream = await begun(pushing, **how)
    await pushing.add(Ticket(OPEN, 0, requester="zoe"))
    await later(1)
    pushing.hub.drain()
    bye = await ended(stream, "drain")
    assert bye.version == stream.sent[0][1].version + 1
    pushing.hub.draining = False
    assert (await (await pushing.open(headers={"last-event-id": bye.id}, **how)).next()).name == "current"


async def test_who_is_told_bye_before_a_change_is_shown_gets_it_when_coming_back(pushing: Pushing) -> None:
    bearer = pushing.world.token(exp=NOW_S + 100)
    stream = await begun(pushing, bearer=bearer)
    await later(99.87)
    await pushing.add(Ticket(OPEN, 0), hinted=False)
    bye = await ended(stream, "expired")
    again = await pushing.open(headers={"last-event-id": bye.id})
    assert (await again.next()).name == "snapshot"


@pytest.mark.parametrize("what", ["deleted", "hidden", "in other perspectives only"])
async def test_a_filter_that_is_shown_no_longer_ends_the_stream(pushing: Pushing, what: str) -> None:
    stream, other = await begun(pushing, "all", "7472"), await begun(pushing, "all")
    left = {name: each for name, each in FILTERS_IN_FORCE.items() if name != "7472"}
    if what == "in other perspectives only":
        edited = FILTERS_IN_FORCE["7472"]
        fields = {name: getattr(edited, name) for name in type(edited).__struct_fields__}
        left["7472"] = type(edited)(**fields | {"perspectives": frozenset(("agent",))})
    if what == "hidden":
        bearer = pushing.world.token("rob", "ticket_agent", teams=("support",))
        stream = await begun(pushing, "shared", bearer=bearer)
        del left["shared"]
    await pushing.put_entries(filters=left)
    await ended(stream, "access")
    assert stream.times()[-1] == 0
    again = await pushing.open("all", "7472" if what != "hidden" else "shared")
    assert await again.error() == (422, "INVALID_FILTER_ID")
    await pushing.add(Ticket(OPEN, 0))
    assert (await other.next()).name == "counts"


async def test_a_tenant_that_is_removed_ends_its_streams(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await pushing.drop_tenant()
    await ended(stream, "access")
    assert stream.times()[-1] == 0
    assert await (await pushing.open()).error() == (404, "TENANT_NOT_FOUND")


async def test_a_tenant_that_moves_to_another_realm_ends_its_streams(pushing: Pushing) -> None:
    stream = await begun(pushing)
    settings = (await pushing.world.record()).entries.settings
    moved = type(settings)(settings.id, settings.name, "other", settings.statuses, settings.priorities)
    await pushing.put_entries(settings=moved, filters={}, profiles={})
    await ended(stream, "access")


async def test_a_view_that_ended_may_begin_anew(pushing: Pushing) -> None:
    stream = await begun(pushing, "7472")
    await pushing.put_entries(filters={name: each for name, each in FILTERS_IN_FORCE.items() if name != "7472"})
    stream.stop_reading()
    await later(1)
    await pushing.put_entries(filters=FILTERS_IN_FORCE)
    again = await begun(pushing, "7472")
    stream.read_on()
    await ended(stream, "access")
    await pushing.add(Ticket(OPEN, 0))
    assert (await again.next()).name == "counts", "the end of the old one's last stream leaves the new one alone"


async def test_more_streams_than_the_process_may_have_are_told_to_come_back(pushing: Pushing) -> None:
    async with a_pushing_world(streams=2) as small:
        first, second = await begun(small), await begun(small, OPEN)
        third = await small.open()
        assert third.status == 200
        bye = await ended(third, "overload")
        assert len(third.sent) == 1
        assert (bye.epoch, bye.view) == (first.sent[0][1].epoch, first.sent[0][1].view)
        again = await small.open(headers={"last-event-id": bye.id})
        await again.rest()
        await first.leave()
        again = await small.open(headers={"last-event-id": bye.id})
        assert (await again.next()).name == "snapshot", "who was turned away has nothing that could be current"
        await small.add(Ticket(OPEN, 0))
        assert (await second.next()).name == "counts"


async def test_who_is_turned_away_keeps_the_id_of_what_it_shows() -> None:
    async with a_pushing_world(streams=1) as small:
        first = await begun(small)
        shown = first.sent[0][1].id
        for sent, kept in ((shown, shown), ("ab.7.old", "ab.7.old"), ("a\nb", ""), ("garbage", "")):
            away = await small.request(
                "GET", f"{_asked()}&last_event_id={sent.replace(chr(10), '%0A')}", small.world.headers()
            )
            bye = await ended(away, "overload")
            assert bye.id == kept or (not kept and bye.version == 0)
        await first.leave()
        again = await small.open(headers={"last-event-id": shown})
        assert (await again.next()).name == "current"


async def test_as_many_streams_as_allowed_are_taken_when_all_come_at_once() -> None:
    async with a_pushing_world(streams=5) as small:
        begun_together = [small.begun("GET", _asked(), small.world.headers()) for _ in range(8)]
        firsts = [await stream.next() for stream in begun_together]
        assert [event.name for event in firsts].count("snapshot") == 5
        assert [event.name for event in firsts].count("bye") == 3
        assert small.hub.open_streams == 5


@pytest.mark.parametrize("limit", ["streams_per_user", "streams_per_address"])
async def test_a_user_and_an_address_have_so_many_streams_and_others_as_many_again(limit: str) -> None:
    async with a_pushing_world(**{limit: 2}) as small:

        async def opened(user: str, address: str) -> Stream:
            stream = await small.request(
                "GET", _asked(), small.world.headers(small.world.token(user)), client=(address, 5)
            )
            await stream.next()
            return stream

        for other in (("ann", "10.0.0.1"), ("bob", "10.0.0.2")):
            streams = [await opened(*other) for _ in range(3)]
            assert [stream.sent[0][1].name for stream in streams] == ["snapshot", "snapshot", "bye"]
            assert streams[-1].sent[0][1].data["reason"] == "overload"
        same = ("ann", "10.0.0.9") if limit == "streams_per_user" else ("zoe", "10.0.0.1")
        assert (await opened(*same)).sent[0][1].name == "bye"
        different = ("zoe", "10.0.0.1") if limit == "streams_per_user" else ("ann", "10.0.0.9")
        assert (await opened(*different)).sent[0][1].name == "snapshot"
        await small._streams[0].leave()
        assert (await opened(*same)).sent[0][1].name == "snapshot", "a place that was given back"


async def test_who_is_not_known_is_not_turned_away_softly() -> None:
    async with a_pushing_world(streams=0) as small:
        for bearer, ids, error in (("x.y.z", "all", (401, "UNAUTHORIZED")), (None, "no", (422, "INVALID_FILTER_ID"))):
            assert await (await small.open(ids, bearer=bearer)).error() == error
        assert [event.name for event in await (await small.open()).rest()] == ["bye"]


async def test_a_profile_that_is_gone_ends_the_stream(pushing: Pushing) -> None:
    await pushing.put_entries(profiles=PROFILES | {"plain": Profile("plain", "Plain", AllOf(()))})
    stream = await pushing.open(query="&templateProfileFilterId=plain")
    assert (await stream.next()).name == "snapshot"
    await pushing.put_entries(profiles=PROFILES)
    await ended(stream, "access")


def _asked() -> str:
    return "type=template&module=ticketing&filterIds=all"


async def test_a_store_that_came_back_empty_ends_no_stream(pushing: Pushing) -> None:
    stream = await begun(pushing)
    record = await pushing.world.record()
    await pushing.world.store.forget_catalogue_offsets()
    pushing.world.store._tenants_read = False
    await pushing.drop_tenant()
    late = await stream.next()
    assert (late.name, late.data["fresh"]) == ("heartbeat", False)
    await pushing.world.store.new_epoch(pushing.world.store.bucket(TENANT))
    await pushing.world.put_tenant(record)
    pushing.changed(TENANT)
    back = await stream.next()
    assert back.name in ("snapshot", "counts")
    assert back.data["counts"] == {"all": 0}
