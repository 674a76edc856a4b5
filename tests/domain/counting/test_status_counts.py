"""Ticket counts by status: the counters and columns that a slice reads."""

import msgspec
import pytest

from service.domain.catalogue.catalogue import Priority, Status, Team, TenantSettings
from service.domain.catalogue.departments import Department, assigned, departments, teams_in
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.contributions import Changes, column_changes
from service.domain.counting.status_counts import Slice, status_plan
from service.domain.tenants.record import new_record, numbered
from service.domain.tenants.tenant_entries import Entries
from service.domain.tenants.view import TenantView, Warming
from service.domain.tickets.ticket import Ticket, TicketState

STATUSES = (Status("new", "New"), Status("all", "All"), Status("p1", "One"))
SETTINGS = TenantSettings(
    "t",
    "T",
    "r",
    STATUSES,
    (Priority("p1", "P1", 1),),
    (Team("a", "A", 2), Team("b", "B", 1), Team("c", "C"), Team("d", "D", 2)),
)
TICKETS = [
    Ticket("new", 0, team="a", assignee="ann"),
    Ticket("new", 0, team="b", assignee="ann", requester="ann"),
    Ticket("all", 0, team="b", assignee="bob"),
    Ticket("p1", 0, assignee="ann"),
    Ticket("unknown", 0, team="a", assignee="ann"),
]


def counted(*slices: Slice) -> list[dict[str, int]]:
    """Counts the slices from the counters of the tickets."""
    record = new_record(Entries(SETTINGS), 1)
    columns, changes = ColumnMatcher(numbered(record)), Changes()
    for ticket in TICKETS:
        changes.add(None, TicketState(0, ticket, 0, columns.mask(ticket, 0)))
    counters = {
        name: {part: column_changes(masks) for part, masks in parts.items()} for name, parts in changes.deltas().items()
    }
    plan = status_plan(TenantView(record).status_columns, slices)
    columns_read = [counters["*"][""].get(number, 0) for number in plan.columns]
    return plan.evaluate(columns_read, [counters.get(name, {}) for name in plan.counters])


@pytest.mark.parametrize(
    ("tickets", "counts"),
    [
        (Slice(), (2, 1, 1)),
        (Slice(("a",)), (1, 0, 0)),
        (Slice(("a", "b")), (2, 1, 0)),
        (Slice(()), (0, 0, 0)),
        (Slice(("no such team",)), (0, 0, 0)),
        (Slice(None, "ann"), (2, 0, 1)),
        (Slice(("b",), "ann"), (1, 0, 0)),
        (Slice((), "ann"), (0, 0, 0)),
        (Slice(None, "nobody"), (0, 0, 0)),
    ],
)
def test_a_slice_is_counted_by_status(tickets: Slice, counts: tuple[int, ...]) -> None:
    assert counted(tickets) == [dict(zip(("new", "all", "p1"), counts, strict=True))]


def test_several_slices_share_what_is_read() -> None:
    plan = status_plan({"new": 1}, [Slice(("a", "b")), Slice(("b",)), Slice(("a",), "ann"), Slice(("b",), "ann")])
    assert (plan.columns, plan.counters, plan.columns_mask) == ((), ("t:a", "t:b", "a:ann"), 0b10)
    everyone = status_plan({"new": 1, "old": 4}, [Slice()])
    assert (everyone.columns, everyone.counters, everyone.columns_mask) == ((1, 4), (), 0)
    assert status_plan({"new": 1, "old": 4}, [Slice(("a",))]).columns_mask == 0b10010


def test_a_status_whose_column_is_not_filled_is_warming() -> None:
    record = new_record(Entries(SETTINGS), 1)
    numbers = TenantView(record).status_columns
    filling = {name: 1 for name, number in record.numbers.items() if number == numbers["all"]}
    view = TenantView(msgspec.structs.replace(record, filling=filling))
    with pytest.raises(Warming, match=r"^all$"):
        assert view.status_columns


def test_departments_are_in_order_named_by_their_first_team() -> None:
    assert departments(SETTINGS) == (Department(1, "B", ("b",)), Department(2, "A", ("a", "d")))
    assert [each.id for each in assigned(SETTINGS, ["d", "c", "nobody's"])] == [2]
    assert assigned(SETTINGS, []) == ()
    assert teams_in(departments(SETTINGS)) == ("b", "a", "d")
