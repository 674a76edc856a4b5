"""What an open stream is told of changes: absolute values of what changed, and only of that."""

import logging
from typing import Any

import msgspec
import pytest

from service.domain.catalogue.catalogue import Filter, Status
from service.domain.conditions.condition import Leaf
from service.domain.tickets.ticket import Ticket
from service.store.ports.reading import CountQuery, Snapshot
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.event_stream import state_after
from tests.web.push.streaming.streams import Pushing
from tests.web.world import FILTERS_IN_FORCE, NOW_S, TENANT

OPEN, SHUT = "3745", "3748"
AWAY_IS_SAID_WITHIN_S = 10


async def begun(pushing: Pushing, *ids: str, **how: Any) -> Stream:
    stream = await pushing.open(*(ids or ("all", OPEN, SHUT)), **how)
    assert (await stream.next()).name == "snapshot"
    return stream


async def test_a_change_says_the_new_values_of_what_changed_and_nothing_else(pushing: Pushing) -> None:
    stream = await begun(pushing)
    before = stream.sent[0][1]
    await pushing.add(Ticket(SHUT, 0))
    event = await stream.next()
    assert event.name == "counts"
    assert event.data == {
        "counts": {"all": 6, SHUT: 3},
        "summary": {"totalClosed": 3},
        "computedAt": "2027-01-15T08:00:00.123Z",
        "asOf": "2027-01-15T07:59:55.123Z",
        "version": event.id,
    }
    assert (event.epoch, event.view) == (before.epoch, before.view)
    assert event.version == before.version + 1
    assert event.retry_ms is None


async def test_events_add_up_to_what_an_http_read_says(pushing: Pushing) -> None:
    stream = await begun(pushing, "all", OPEN, SHUT, "4195", "7471")
    for ticket in (Ticket(OPEN, 0, priority="4195"), Ticket(SHUT, 0, assignee="ann"), Ticket(OPEN, 0)):
        await pushing.add(ticket)
        await stream.next()
    answer = await pushing.world.post(["all", OPEN, SHUT, "4195", "7471"], timezone="UTC")
    shown = state_after([event for _, event in stream.sent])
    assert {name: shown[name] for name in ("counts", "summary")} == {
        name: answer.json()["data"][name] for name in ("counts", "summary")
    }
    assert shown["version"].rpartition(".")[0] == answer.headers["x-counts-version"]


async def test_a_change_that_this_view_does_not_show_is_no_event_and_the_next_id_names_it(pushing: Pushing) -> None:
    how = {"bearer": pushing.world.token("rob", "ticket_user")}
    stream = await begun(pushing, **how)
    before = stream.sent[0][1]
    await pushing.add(Ticket(OPEN, 0, requester="zoe"))
    beat = await stream.next()
    assert (beat.name, beat.version) == ("heartbeat", before.version + 1)
    assert stream.times()[-1] == 15
    again = await pushing.open("all", OPEN, SHUT, headers={"last-event-id": beat.id}, **how)
    assert (await again.next()).name == "current"


@pytest.mark.parametrize("change", [{"name": "Neu"}, {"color": "#000000"}])
async def test_another_name_or_colour_is_a_snapshot_again(pushing: Pushing, change: dict[str, str]) -> None:
    stream = await begun(pushing, "7472", OPEN)
    edited = msgspec.structs.replace(FILTERS_IN_FORCE["7472"], **change)
    await pushing.put_entries(filters=FILTERS_IN_FORCE | {"7472": edited})
    event = await stream.next()
    assert event.name == "snapshot"
    assert event.data["filterDetails"]["7472"] | change == event.data["filterDetails"]["7472"]
    assert set(event.data) == set(stream.sent[0][1].data)


async def test_a_renamed_status_is_a_snapshot_where_it_is_shown_and_nothing_elsewhere(pushing: Pushing) -> None:
    shown, elsewhere = await begun(pushing, SHUT), await begun(pushing, "all")
    settings = (await pushing.world.record()).entries.settings
    statuses = (settings.statuses[0], Status(SHUT, "Done", closed=True))
    await pushing.put_entries(settings=msgspec.structs.replace(settings, statuses=statuses))
    assert (await shown.next()).data["filterDetails"][SHUT]["name"] == "Done"
    assert (await elsewhere.next()).name == "heartbeat"


async def test_an_edited_filter_that_is_shown_changes_by_counts(pushing: Pushing) -> None:
    stream = await begun(pushing, "vip", "all")
    assert stream.sent[0][1].data["counts"]["vip"] == 2
    edited = msgspec.structs.replace(FILTERS_IN_FORCE["vip"], where=Leaf("priority", "eq", "4196"))
    await pushing.put_entries(filters=FILTERS_IN_FORCE | {"vip": edited})
    event = await stream.next()
    assert (event.name, event.data["counts"], event.data["summary"]) == ("counts", {"vip": 1}, {})
    assert event.view != stream.sent[0][1].view


async def test_a_filter_that_is_not_shown_may_come_and_go(pushing: Pushing) -> None:
    stream = await begun(pushing, "all")
    await pushing.put_entries(filters={"new": Filter("new", "New", "custom", Leaf("priority", "eq", "4195"))})
    assert (await stream.next()).name == "heartbeat"


async def test_staleness_and_its_end_are_said_at_once(pushing: Pushing) -> None:
    stream = await begun(pushing)
    pushing.lag(5_001)
    pushing.changed(TENANT)
    stale = await stream.next()
    assert (stale.name, stale.data["fresh"]) == ("heartbeat", False)
    assert stream.times()[-1] == 0
    pushing.lag(5_000)
    pushing.changed(TENANT)
    fresh = await stream.next()
    assert (fresh.name, fresh.data["fresh"]) == ("heartbeat", True)
    assert set(fresh.data) == {"version", "asOf", "fresh"}


async def test_staleness_that_comes_with_a_change_is_not_lost(pushing: Pushing) -> None:
    stream = await begun(pushing)
    await pushing.add(Ticket(OPEN, 0), hinted=False)
    pushing.lag(60_000)
    pushing.changed(TENANT)
    changes, beat = await stream.next(), await stream.next()
    assert (changes.name, changes.data["counts"]) == ("counts", {"all": 6, OPEN: 4})
    assert (beat.name, beat.data["fresh"], beat.id) == ("heartbeat", False, changes.id)
    assert stream.times()[-2:] == [0, 0]


async def test_streams_stay_open_while_the_store_is_away_and_show_all_when_it_is_back(pushing: Pushing) -> None:
    stream = await begun(pushing)
    pushing.world.store.away = True
    stale = await stream.next()
    assert (stale.name, stale.data["fresh"], stale.id) == ("heartbeat", False, stream.sent[0][1].id)
    assert stream.times()[-1] < AWAY_IS_SAID_WITHIN_S
    for _ in range(4):
        assert (await stream.next()).data["fresh"] is False
    late = await pushing.open()
    assert await late.error() == (503, "COUNTS_UNAVAILABLE")
    await pushing.add(Ticket(OPEN, 0))
    pushing.world.store.away = False
    changes, beat = await stream.next(), await stream.next()
    assert changes.data["counts"] == {"all": 6, OPEN: 4}
    assert (beat.name, beat.data["fresh"]) == ("heartbeat", True)


async def test_a_tenant_that_is_loaded_anew_leaves_its_streams_open(pushing: Pushing) -> None:
    stream = await begun(pushing)
    settings = (await pushing.world.record()).entries.settings
    await pushing.put_entries(settings=msgspec.structs.replace(settings, loading=True))
    assert (await stream.next()).data["fresh"] is False
    assert await (await pushing.open()).error() == (503, "COUNTS_WARMING")
    await pushing.put_entries(settings=settings)
    assert (await stream.next()).data["fresh"] is True


async def test_a_view_that_fails_hurts_no_other(
    pushing: Pushing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing, other = await begun(pushing, "7471"), await begun(pushing, "all")
    store = pushing.world.store
    real = store.snapshot
    broken = True

    async def snapshot(query: CountQuery) -> Snapshot | None:
        if broken and query.counters:
            raise ValueError("one bad value")
        return await real(query)

    monkeypatch.setattr(store, "snapshot", snapshot)
    with caplog.at_level(logging.ERROR):
        await pushing.add(Ticket(OPEN, 0, assignee="ann"))
        assert (await failing.next()).data["fresh"] is False
    assert (await other.next()).data["counts"] == {"all": 6}
    broken = False
    assert (await failing.next()).data["counts"] == {"7471": 3}


async def test_another_local_day_is_another_view(pushing: Pushing) -> None:
    pushing.world.clock.now += (16 * 3_600 - 20) * 1_000_000
    bearer = pushing.world.token(exp=NOW_S + 100_000)
    stream = await begun(pushing, bearer=bearer)
    beats = [await stream.next() for _ in range(3)]
    assert [event.name for event in beats] == ["heartbeat"] * 3
    before, *after = (event.view for event in beats)
    assert before == stream.sent[0][1].view
    assert {before}.isdisjoint(after)


async def test_the_version_never_goes_back_within_an_epoch_and_may_in_another(pushing: Pushing) -> None:
    stream = await begun(pushing)
    store = pushing.world.store
    older = store._tenants[TENANT]
    older.version -= 1
    older.counters["*"][""] = {column: count + 1 for column, count in older.counters["*"][""].items()}
    pushing.changed(TENANT)
    beat = await stream.next()
    assert (beat.name, beat.id) == ("heartbeat", stream.sent[0][1].id)
    await store.new_epoch(store.bucket(TENANT))
    pushing.changed(TENANT)
    changes = await stream.next()
    assert changes.name == "counts"
    assert changes.epoch != beat.epoch
    assert changes.version < beat.version
