"""The random worlds are valid and repeatable, contain every kind of event, and expose wrong rules."""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import groupby
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle import conditions
from tests.oracle import recount as recount_module
from tests.oracle.generated.worlds import Shape, World, seeded_world, worlds
from tests.oracle.published.log import laid_out
from tests.oracle.published.records import Record, read
from tests.oracle.recount import Answer, Recount, recount
from tests.oracle.tickets import Ticket

FULL = Shape(language="full", times=True)
WILD = Shape(language="full", times=True, bad=True, shadows=True, edits=True)
WHOLE = Shape(patches=False, tombstones=False, equal_sequences=False)
SEEDS = range(40)
few = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def answers(world: World, oracle: Recount | None = None) -> list[Answer]:
    oracle = oracle or recount(world.catalogue, world.log)
    return [
        oracle.counts(a.tenant, a.viewer, a.perspective, a.filter_ids, a.profile_id, world.now_us, a.timezone)
        for a in world.requests
    ]


@pytest.mark.parametrize("shape", [Shape(), FULL, WHOLE], ids=["flat", "full", "whole"])
def test_without_bad_records_nothing_is_refused(shape: Shape) -> None:
    for seed in SEEDS:
        world = seeded_world(seed, shape)
        oracle = recount(world.catalogue, world.log)
        assert oracle.dead_letters == []
        assert oracle.catalogue.refused == []


def test_a_seed_is_a_world() -> None:
    assert seeded_world(7, WILD) == seeded_world(7, WILD)
    assert seeded_world(7, WILD) != seeded_world(8, WILD)


@few
@given(worlds(FULL))
def test_open_and_closed_are_all_and_no_count_is_above_it(world: World) -> None:
    for answer in answers(world):
        counts, summary = answer["counts"], answer["summary"]
        assert summary["totalOpen"] + summary["totalClosed"] == counts["all"] == max(counts.values())


@few
@given(worlds(WHOLE))
def test_whole_tickets_end_as_their_highest_sequence_says_in_any_order(world: World) -> None:
    events = sorted((read(item) for item in world.log), key=lambda event: (event.tenant, event.ticket))
    latest = {
        key: max(of_ticket, key=lambda event: event.sequence or 0)
        for key, of_ticket in groupby(events, key=lambda event: (event.tenant, event.ticket))
    }
    oracle = recount(world.catalogue, world.log)
    backwards = recount(world.catalogue, world.log[::-1])
    for tenant in ("acme", "ACME", "0"):
        alive = {
            ticket: one.data for (of, ticket), one in latest.items() if of == tenant and one.type != "ticket.deleted"
        }
        assert {name: ticket.data for name, ticket in oracle.tickets(tenant).items()} == alive
        assert backwards.tickets(tenant) == oracle.tickets(tenant)


@few
@given(worlds(WILD))
def test_bad_records_change_nothing_and_both_content_modes_say_the_same(world: World) -> None:
    oracle = recount(world.catalogue, world.log)
    refused = [id(item) for item, _ in oracle.dead_letters]
    cleaned = [item for item in world.log if id(item) not in refused]
    expected = answers(world, oracle)
    assert answers(world, recount(world.catalogue, cleaned)) == expected
    in_bytes = laid_out(world.log, is_binary=lambda index: index % 2 == 1)
    assert answers(world, recount(world.catalogue, in_bytes)) == expected


def test_the_worlds_hold_every_kind_of_thing() -> None:
    seen = set()
    for seed in SEEDS:
        world = seeded_world(seed, WILD)
        oracle = recount(world.catalogue, world.log)
        seen |= {"dead letter"} if oracle.dead_letters else set()
        for item in world.log:
            if isinstance(item, Record):
                seen.add("bytes" if item.value else f"tombstone with {len(item.headers)} headers")
            else:
                seen |= {str(item.get("type")), str(item.get("datacontenttype")), type(item.get("sequence")).__name__}
        seen |= {f"{ask.perspective} of {role}" for ask in world.requests for role in ask.viewer.roles if "_" in role}
        seen |= {"profile"} if any(ask.profile_id for ask in world.requests) else set()
    assert seen >= {
        "dead letter", "bytes", "tombstone with 0 headers", "tombstone with 2 headers", "ticket.created",
        "ticket.updated", "ticket.closed", "ticket.deleted", "application/merge-patch+json", "str", "int", "profile",
        "template of ticket_user", "user of ticket_user", "agent of ticket_agent", "agent of ticket_admin",
        "user of ticket_agent", "user of ticket_admin",
    }  # fmt: skip


def last_read_wins(ticket: Ticket | None, event: Any) -> Ticket | None:
    return Ticket(event.sequence or 0, event.type, None if event.type == "ticket.deleted" else event.data)


def without_the_null_rule(leaf: Mapping[str, Any], ticket: Ticket, context: conditions.ConditionContext) -> bool:
    value = conditions.value_of(leaf["field"], ticket, context)
    if leaf["op"] in conditions.OPPOSITES and conditions.is_empty(value):
        return False
    return RIGHT_LEAF_HOLDS(leaf, ticket, context)


RIGHT_LEAF_HOLDS = conditions.leaf_holds


def everything_in_scope(ticket: Ticket, viewer: object, perspective: str) -> bool:
    return True


def closed_by_name(ticket: Ticket, tenant: Mapping[str, Any]) -> bool:
    return ticket.last_type == "ticket.closed"


@cache
def correct_answers() -> list[tuple[World, list[Answer]]]:
    """Returns random worlds with their correct answers."""
    shape = Shape(patches=False)
    return [(world, answers(world)) for world in (seeded_world(seed, shape) for seed in range(150))]


def converted(one: object, other: object) -> bool:
    return one == other


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (recount_module, "after", last_read_wins),
        (recount_module, "in_scope", everything_in_scope),
        (recount_module, "is_closed", closed_by_name),
        (conditions, "leaf_holds", without_the_null_rule),
        (conditions, "is_closed", closed_by_name),
        (conditions, "same_json", converted),
    ],
)
def test_the_worlds_tell_a_wrong_rule_from_the_right_one(
    module: Any, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = correct_answers()
    monkeypatch.setattr(module, name, wrong)
    differing = sum(answers(world) != expected for world, expected in many)
    assert differing >= 3
