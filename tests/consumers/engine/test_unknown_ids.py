"""Which unknown ids are said and stored: each seldom, few a minute, and none of them lost while the store is away."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from consumers.engine.unknown_ids import LINES, REPEAT_US, TENANT_LINES, WINDOW_US, UnknownIds
from service.store.ports.errors import StoreUnavailable
from service.store.ports.unknown_ids import MOST_KEPT, UnknownId
from tests.consumers.small_world import NOW_US, TENANT, SmallWorld, log_of, patched, told
from tests.support.pipeline import SetClock


class Kept:
    """A store that can be away."""

    def __init__(self) -> None:
        self.away = False
        self.noted: list[tuple[str, list[UnknownId]]] = []

    async def note_unknown_ids(self, tenant: str, met: Sequence[UnknownId]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.noted.append((tenant, list(met)))

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        raise AssertionError("nobody asks")


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW_US)


def said_in(logs: Sequence[MutableMapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (line["tenant"], line["ticket"], line["field"], line["id"])
        for line in logs
        if line["event"] == "the catalogue doesn't know an id"
    ]


async def test_an_id_is_said_and_stored_once_and_again_after_a_while(clock: SetClock) -> None:
    unknown, kept = UnknownIds(clock), Kept()
    with capture_logs() as logs:
        for ticket in ("INC1", "INC2"):
            unknown.add("acme", ticket, "status", "nwe")
        await unknown.store(kept)
        await unknown.store(kept)
        clock.now = NOW_US + REPEAT_US
        unknown.add("acme", "INC3", "status", "nwe")
        await unknown.store(kept)
    assert said_in(logs) == [("acme", "INC1", "status", "nwe"), ("acme", "INC3", "status", "nwe")]
    assert kept.noted == [
        ("acme", [UnknownId("status", "nwe", "INC1", NOW_US)]),
        ("acme", [UnknownId("status", "nwe", "INC3", NOW_US + REPEAT_US)]),
    ]


async def test_one_tenant_with_many_leaves_room_for_the_others(clock: SetClock) -> None:
    unknown, kept = UnknownIds(clock), Kept()
    with capture_logs() as logs:
        for number in range(1_000):
            unknown.add("acme", f"INC{number}", "status", f"s{number}")
        unknown.add("globex", "INC1", "team", "t9")
        clock.now = NOW_US + WINDOW_US
        unknown.add("globex", "INC2", "team", "t8")
    assert [line[0] for line in said_in(logs)] == ["acme"] * TENANT_LINES + ["globex"] * 2
    assert [line["left_out"] for line in logs if "left_out" in line] == [1_000 - TENANT_LINES]
    await unknown.store(kept)
    assert [(tenant, len(met)) for tenant, met in kept.noted] == [("acme", MOST_KEPT), ("globex", 2)]


async def test_many_tenants_do_not_fill_the_log(clock: SetClock) -> None:
    unknown = UnknownIds(clock)
    with capture_logs() as logs:
        for number in range(3 * LINES):
            unknown.add(f"t{number}", "INC1", "status", "nwe")
    assert len(logs) == LINES


async def test_what_was_met_while_the_store_was_away_is_stored_later(clock: SetClock) -> None:
    unknown, kept = UnknownIds(clock), Kept()
    kept.away = True
    unknown.add("acme", "INC1", "status", "nwe")
    await unknown.store(kept)
    kept.away = False
    await unknown.store(kept)
    assert kept.noted == [("acme", [UnknownId("status", "nwe", "INC1", NOW_US)])]


async def test_ids_of_applied_events_are_found_whole_tickets_and_patches_alike() -> None:
    world = SmallWorld()
    consumer = await world.consumer()
    known = patched(2, "T1", assignee="ann")
    log = log_of(
        told(1, status="nwe", priority="p9"), known, patched(3, "T1", team="t9"), told(1, "T2", status="late"),
        told(9, "T2"), told(8, "T2", team="too late"), patched(10, "T2", status="nwe"),
    )  # fmt: skip
    await consumer.consume(log)
    await consumer.step.unknown_ids.store(world.store)
    assert {(one.field, one.id, one.ticket) for one in await world.store.unknown_ids(TENANT)} == {
        ("status", "nwe", "T1"),
        ("priority", "p9", "T1"),
        ("team", "t9", "T1"),
        ("status", "late", "T2"),
    }
    counted = {field: counter._value.get() for field, counter in consumer.metrics.unknown_ids.items()}
    assert counted == {"status": 3, "priority": 1, "team": 1}
