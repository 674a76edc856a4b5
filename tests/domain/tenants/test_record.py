"""Catalogue syncs and backfills of a tenant's record: columns in force are right, and no two share a number."""

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.catalogue.catalogue import Filter, Priority, Status, TenantSettings
from service.domain.conditions.condition import Leaf
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import EVERY_TICKET, Column
from service.domain.tenants.record import (
    Backfill,
    TenantRecord,
    adopted,
    backfill_for,
    backfilled,
    new_record,
    numbered,
)
from service.domain.tenants.tenant_entries import Entries, columns_of, counted
from service.domain.tickets.ticket import Ticket
from tests.support.examples import examples

VALUES = ("a", "b", "c", "d")
TICKETS = [Ticket("s1", 0, category=VALUES[number % 3]) for number in range(4)]


def entries(wheres: Iterable[str], shut: frozenset[str] = frozenset()) -> Entries:
    """Returns entries with one filter per category."""
    statuses = tuple(Status(name, name, closed=name in shut) for name in ("s1", "s2"))
    settings_ = TenantSettings("acme", "Acme", "r", statuses)
    return Entries(settings_, {one: Filter(one, one, "custom", Leaf("category", "eq", one)) for one in wheres})


@st.composite
def some_entries(draw: st.DrawFn) -> Entries:
    wheres = draw(st.frozensets(st.sampled_from(VALUES), max_size=3))
    return entries(sorted(wheres), draw(st.frozensets(st.sampled_from(("s1", "s2")))))


_held: dict[tuple[str, str | None], int] = {}


def holds(name: str, column: Column, category: str | None) -> int:
    """Whether a ticket of that category counts in the column, cached by the column's id."""
    if (name, category) not in _held:
        _held[name, category] = ColumnMatcher({0: column}).mask(Ticket("s1", 0, category=category), 0)
    return _held[name, category]


class Tenant:
    """A model of the consumers: a record, the stored masks of tickets, and backfills in progress."""

    def __init__(self, first: Entries) -> None:
        self.record = new_record(first, 0)
        self.masks = [ColumnMatcher(numbered(self.record)).mask(ticket, 0) for ticket in TICKETS]
        self.backfills: list[tuple[Backfill, int]] = []
        self.newest = 0

    def adopt(self, newer: Entries, *, same_version: bool = False) -> None:
        """Syncs newer entries. `same_version`: they only add or drop on-demand pairs."""
        self.newest += not same_version
        self.record = adopted(self.record, newer, self.newest)

    def touch(self, index: int) -> None:
        """Evaluates all columns for the ticket again, as an event or a backfill does."""
        self.masks[index] = ColumnMatcher(numbered(self.record)).mask(TICKETS[index], 0)

    def begin(self) -> None:
        backfill = backfill_for(self.record)
        if backfill is not None:
            self.backfills.append((backfill, 0))

    def go_on(self, which: int) -> None:
        """Runs one step of one backfill. The last step completes it."""
        backfill, place = self.backfills.pop(which)
        if place < len(TICKETS):
            self.touch(place)
            self.backfills.insert(which, (backfill, place + 1))
        else:
            self.record = backfilled(self.record, backfill)

    def check(self) -> None:
        record = self.record
        numbers = list(record.numbers.values())
        assert len(set(numbers)) == len(numbers), "two columns share a number"
        assert record.numbers[EVERY_TICKET] == 0
        assert set(record.filling) <= record.numbers.keys()
        assert not set(record.retired) & set(numbers), "a retired number is in use"
        filled = {name: number for name, number in record.numbers.items() if name not in record.filling}
        in_force = columns_of(record.entries)
        assert in_force.keys() <= filled.keys(), "something in force isn't filled"
        wanted = columns_of(record.newest) | in_force
        for name, number in filled.items():
            for ticket, mask in zip(TICKETS, self.masks, strict=True):
                if name in wanted:
                    assert mask >> number & 1 == holds(name, wanted[name], ticket.category), (name, number)
        known = sum(1 << number for number in {*numbers, *record.retired})
        assert all(mask & ~known == 0 for mask in self.masks), "a number was freed while tickets still had it"
        assert (record.pending is None) == (record.pending_version is None) == (not record.filling)
        assert record.version <= record.newest_version == self.newest


@settings(max_examples=examples(100), deadline=None)
@given(st.data())
def test_any_interleaving_of_adoptions_events_and_sweeps_keeps_what_is_in_force_right(data: st.DataObject) -> None:
    tenant = Tenant(data.draw(some_entries()))
    for _ in range(data.draw(st.integers(0, 40))):
        actions = ["adopt", "touch", "begin", *["go on"] * 4 * len(tenant.backfills)]
        match data.draw(st.sampled_from(actions)):
            case "adopt":
                tenant.adopt(data.draw(some_entries()), same_version=data.draw(st.booleans()))
            case "touch":
                tenant.touch(data.draw(st.integers(0, len(TICKETS) - 1)))
            case "begin":
                tenant.begin()
            case "go on":
                tenant.go_on(data.draw(st.integers(0, len(tenant.backfills) - 1)))
        tenant.check()
    settle(tenant)
    assert backfill_for(tenant.record) is None
    assert tenant.record.version == tenant.newest
    assert tenant.record.numbers.keys() == columns_of(tenant.record.entries).keys()


def settle(tenant: Tenant) -> None:
    while tenant.backfills:
        tenant.go_on(0)
        tenant.check()
    while backfill_for(tenant.record) is not None:
        tenant.begin()
        while tenant.backfills:
            tenant.go_on(0)
        tenant.check()


def test_a_column_that_was_dropped_and_came_back_during_a_backfill_is_filled_by_the_next_one() -> None:
    tenant = Tenant(entries(()))
    tenant.adopt(entries("b"))
    tenant.begin()
    for _ in range(2):
        tenant.go_on(0)
    tenant.adopt(entries(()))
    tenant.adopt(entries("b"))
    for _ in range(len(TICKETS) - 1):
        tenant.go_on(0)
    tenant.check()
    assert tenant.record.pending is not None, "half of the tickets were never evaluated"
    settle(tenant)
    assert "b" in tenant.record.entries.filters


def test_a_backfill_that_ends_long_after_another_finished_its_work_settles_nothing_new() -> None:
    tenant = Tenant(entries(()))
    tenant.adopt(entries("b"))
    tenant.begin()
    zombie = tenant.backfills[0][0]
    settle(tenant)
    tenant.adopt(entries(()))
    settle(tenant)
    tenant.adopt(entries("b"))
    tenant.record = backfilled(tenant.record, zombie)
    tenant.check()
    assert tenant.record.pending is not None


def test_entries_that_need_no_new_column_are_in_force_at_once() -> None:
    record = new_record(entries("ab"), 3)
    renamed = msgspec.structs.replace(entries("ab"), filters={"z": entries("a").filters["a"]})
    after = adopted(record, renamed, 8)
    assert (after.version, after.pending, after.filling) == (8, None, {})
    assert after.entries == renamed
    assert len(after.retired) == 1, "the column of b"


def test_entries_that_need_a_new_column_wait_and_come_into_force_in_one_step() -> None:
    record = new_record(entries("a"), 3)
    after = adopted(record, entries("ab", frozenset(("s1",))), 8)
    assert (after.version, after.newest_version) == (3, 8)
    assert after.entries == record.entries
    assert after.newest == after.pending == entries("ab", frozenset(("s1",)))
    backfill = backfill_for(after)
    assert backfill is not None
    done = backfilled(after, backfill)
    assert (done.version, done.pending, done.pending_version) == (8, None, None)
    assert done.entries == entries("ab", frozenset(("s1",)))


def test_newer_entries_replace_those_that_wait() -> None:
    waiting = adopted(new_record(entries("a"), 3), entries("ab"), 8)
    after = adopted(waiting, entries("ac"), 9)
    assert (after.version, after.newest_version) == (3, 9)
    assert len(after.retired) == 1
    back = adopted(after, entries("a"), 10)
    assert (back.version, back.pending) == (10, None)


def test_a_record_survives_its_packing() -> None:
    record = adopted(new_record(entries("a"), 3), entries("abc"), 8)
    decoder = msgspec.msgpack.Decoder(TenantRecord)
    assert decoder.decode(msgspec.msgpack.encode(record)) == record


def test_where_ids_collide_all_then_a_status_a_priority_a_filter_wins() -> None:
    always = Filter("x", "x", "custom", Leaf("category", "eq", "nothing"))
    settings_ = TenantSettings("a", "A", "r", (Status("1", "One"),), (Priority("1", "P", 1), Priority("2", "P", 2)))
    found = counted(
        Entries(settings_, {name: msgspec.structs.replace(always, id=name) for name in ("all", "1", "2", "3")})
    )
    assert list(found) == ["all", "1", "2", "3"]
    assert found["1"] == Leaf("status", "eq", "1")
    assert found["2"] == Leaf("priority", "eq", "2")
    assert found["3"] == always.where
    assert found["all"] != always.where


@pytest.mark.parametrize("shut", [frozenset(), frozenset(("s1", "s2"))])
def test_open_and_closed_have_columns_even_without_filters(shut: frozenset[str]) -> None:
    needed = columns_of(entries((), shut))
    assert EVERY_TICKET in needed
    assert len(needed) == 1 + 2 + 2 + 3  # all, two statuses, open and closed, breached, due today, overdue
