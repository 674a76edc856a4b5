"""When a stream says something: at once, then at most ten times a second for a moment and four times for as long as it
changes, and after 15 s of silence anyway.
"""

from itertools import pairwise

import pytest

from service.domain.tickets.ticket import Ticket
from service.store.ports.reading import CountQuery, Snapshot
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.event_stream import Event
from tests.web.push.streaming.streams import Pushing, later
from tests.web.world import TENANT

OPEN = "3745"
SPACING_S = 0.1
RECONCILE_S = 5.0


async def begun(pushing: Pushing, *ids: str) -> Stream:
    stream = await pushing.open(*ids)
    assert (await stream.next()).name == "snapshot"
    return stream


def total(event: Event) -> int:
    value = event.data["counts"]["all"]
    assert isinstance(value, int)
    return value


async def test_a_heartbeat_after_every_15_s_of_silence(pushing: Pushing) -> None:
    stream = await begun(pushing)
    for _ in range(3):
        beat = await stream.next()
        assert beat.name == "heartbeat"
        assert beat.data == {"version": beat.id, "asOf": "2027-01-15T07:59:55.123Z", "fresh": True}
        assert beat.id == stream.sent[0][1].id
    assert stream.times() == [0, 15, 30, 45]


async def test_any_other_event_is_as_good_as_a_heartbeat(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(10)
    await pushing.add(Ticket(OPEN, 0))
    await stream.next()
    await later(10)
    pushing.lag(6_000)
    pushing.changed(TENANT)
    await stream.next()
    await stream.next()
    assert stream.times() == [0, 10, 20, 35]
    assert [event.name for _, event in stream.sent] == ["snapshot", "counts", "heartbeat", "heartbeat"]


async def test_the_first_change_is_shown_at_once(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(3)
    await pushing.add(Ticket(OPEN, 0))
    await stream.next()
    assert stream.times() == [0, 3]


async def test_a_burst_is_at_most_ten_events_a_second_and_its_end_is_shown(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(1)
    for _ in range(200):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.005)
    await later(SPACING_S)
    totals = [total(event) for _, event in stream.sent]
    times = stream.times()[1:]
    assert totals[0] == 5
    assert totals == sorted(set(totals))
    assert totals[-1] == 205
    assert times[0] == 1
    assert all(after - before >= SPACING_S - 0.001 for before, after in pairwise(times))
    assert 10 <= len(times) <= 12
    assert times[-1] <= 2 + SPACING_S


async def test_a_view_that_never_rests_is_shown_four_times_a_second_and_the_end_is_shown(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(3)
    for _ in range(240):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.05)
    times = stream.times()[1:]
    assert len(times) <= 60, "what 12 s of a frozen client's are at most, however much its kernel takes"
    assert all(after - before >= SPACING_S - 0.001 for before, after in pairwise(times))
    steady = [time for time in times if time > 3 + 2]
    assert all(0.24 <= after - before <= 0.31 for before, after in pairwise(steady))
    await later(0.3)
    assert total(stream.sent[-1][1]) == 245


async def test_after_a_rest_a_view_is_as_quick_as_before(pushing: Pushing) -> None:
    stream = await begun(pushing)
    for _ in range(100):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.05)
    await later(5)
    seen = len(stream.sent)
    for _ in range(10):
        await pushing.add(Ticket(OPEN, 0))
        await later(SPACING_S)
    assert len(stream.sent) == seen + 10


async def test_whoever_joins_does_not_make_a_view_faster(pushing: Pushing) -> None:
    stream = await begun(pushing)
    for _ in range(100):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.005)
        joined = await pushing.open()
        assert total(await joined.next()) == total(stream.sent[0][1]) + len(pushing._streams) - 1
    await later(SPACING_S)
    assert total(stream.sent[-1][1]) == 105
    assert len(stream.sent) <= 1 + 0.5 / SPACING_S + 2


async def test_a_change_while_the_view_is_being_read_is_shown_right_after(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await begun(pushing)
    read = pushing.world.store.snapshot

    async def read_slowly(query: CountQuery) -> Snapshot | None:
        snapshot = await read(query)
        await later(0.03)
        return snapshot

    monkeypatch.setattr(pushing.world.store, "snapshot", read_slowly)
    await later(1)
    await pushing.add(Ticket(OPEN, 0))
    await later(0.01)
    await pushing.add(Ticket(OPEN, 0))
    assert [total(await stream.next()) for _ in range(2)] == [6, 7]
    assert stream.times() == [0, 1.03, 1.13]


async def test_a_lost_hint_costs_seconds(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(1)
    await pushing.add(Ticket(OPEN, 0), hinted=False)
    assert total(await stream.next()) == 6
    assert stream.times()[-1] <= RECONCILE_S


async def test_a_gap_in_the_hints_is_followed_by_a_look_at_once(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await later(1)
    await pushing.add(Ticket(OPEN, 0), hinted=False)
    pushing.gap()
    assert total(await stream.next()) == 6
    assert stream.times()[-1] == 1


async def test_hints_about_other_tenants_are_nothing_to_a_view(pushing: Pushing) -> None:
    await begun(pushing)
    pushing.world.store.reads.clear()
    for _ in range(10):
        pushing.changed("globex")
        await later(SPACING_S)
    assert pushing.world.store.reads == []


async def test_all_streams_of_a_view_share_one_read(pushing: Pushing) -> None:
    streams = [await begun(pushing) for _ in range(20)]
    pushing.world.store.reads.clear()
    await pushing.add(Ticket(OPEN, 0))
    for stream in streams:
        assert total(await stream.next()) == 6
    assert pushing.world.store.reads == ["snapshot"]


async def test_streams_that_go_along_are_sent_the_very_same_bytes(pushing: Pushing) -> None:
    streams = [await begun(pushing) for _ in range(20)]
    for _ in range(3):
        await later(1)
        await pushing.add(Ticket(OPEN, 0))
        for stream in streams:
            await stream.next()
    (view,) = pushing.hub._views.values()
    assert view.state is not None
    assert len(view.state.changes) <= 2, "one encoding for all, however often each of them read before"


async def test_a_slow_reader_gets_the_newest_state_and_never_a_backlog(pushing: Pushing) -> None:
    slow, quick = await begun(pushing), await begun(pushing)
    slow.stop_reading()
    for _ in range(100):
        await pushing.add(Ticket(OPEN, 0))
        await later(0.25)
        assert slow.pending <= 1
    assert len(quick.sent) == 101
    slow.read_on()
    stale, newest = await slow.next(), await slow.next()
    assert (total(stale), total(newest)) == (6, 105)
    assert newest.id == quick.sent[-1][1].id
    assert len(slow.sent) == 3


async def test_a_slow_reader_that_missed_two_opposite_changes_is_told_the_sum(pushing: Pushing) -> None:
    slow = await begun(pushing, "all", OPEN, "3748")
    slow.stop_reading()
    await pushing.add(Ticket(OPEN, 0))
    await later(1)
    await pushing.add(Ticket("3748", 0))
    pushing.lag(6_000)
    pushing.changed(TENANT)
    await later(1)
    slow.read_on()
    events = [await slow.next() for _ in range(3)]
    assert [event.name for event in events] == ["counts", "counts", "heartbeat"]
    assert events[1].data["counts"] == {"all": 7, "3748": 3}
