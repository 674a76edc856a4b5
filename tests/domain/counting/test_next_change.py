"""The next change by time alone: nothing changes before that instant, and something at it. Tries every instant."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import AllOf, AnyOf, At, Condition, FromNow, Leaf, Not
from service.domain.counting.column_matcher import FARTHEST_CHANGE, ColumnMatcher
from service.domain.counting.columns import Column, simplify
from service.domain.tickets.instant import format_instant_exactly
from service.domain.tickets.ticket import Ticket

SMALL = st.integers(-10, 10)
LAST = 60
"""Later than every transition of these conditions."""

fields = st.sampled_from(("dueAt", "slaDueAt", "fields.at"))
ends = st.builds(FromNow, SMALL) | st.builds(At, SMALL)
leaves: st.SearchStrategy[Condition] = (
    st.builds(Leaf, fields, st.sampled_from(("older_than", "newer_than", "due_within")), st.integers(0, 8))
    | st.builds(Leaf, fields, st.sampled_from(("before", "after", "eq", "ne")), ends)
    | st.builds(Leaf, fields, st.just("between"), st.tuples(ends, ends))
    | st.sampled_from((Leaf("status", "eq", "1"), Leaf("dueAt", "is_empty"), Leaf("team", "eq", "net")))
)


def grown(children: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.builds(AllOf, several) | st.builds(AnyOf, several) | st.builds(Not, children)


conditions = st.recursive(leaves, grown, max_leaves=5).map(simplify)
tickets = st.builds(
    lambda status, due, sla, at: Ticket(
        status, 0, due_at=due, sla_due_at=sla, fields={} if at is None else {"at": format_instant_exactly(at)}
    ),
    st.sampled_from(("1", "2")), st.none() | SMALL, st.none() | SMALL, st.none() | SMALL,
)  # fmt: skip


@given(st.lists(conditions, max_size=4), tickets, SMALL)
def test_the_mask_stays_until_the_next_change_and_is_another_at_it(
    several: list[Condition], ticket: Ticket, now: int
) -> None:
    columns = ColumnMatcher({3 * number: Column(condition) for number, condition in enumerate(several)})
    counted = columns.counted(ticket, now)
    masks = {instant: columns.mask(ticket, instant) for instant in range(now, LAST)}
    changes = [instant for instant, mask in masks.items() if mask != counted.mask]
    assert counted.mask == masks[now]
    assert counted.next_change_at == (changes[0] if changes else None)


def test_what_never_holds_for_a_ticket_is_not_waited_for() -> None:
    columns = ColumnMatcher({0: Column(AllOf((Leaf("status", "eq", "open"), Leaf("dueAt", "before", FromNow(0)))))})
    assert columns.counted(Ticket("closed", 0, due_at=5), 0).next_change_at is None
    assert columns.counted(Ticket("open", 0, due_at=5), 0).next_change_at == 6
    assert columns.counted(Ticket("open", 0, due_at=5), 6).next_change_at is None


def test_a_deadline_in_the_year_9999_is_not_waited_for() -> None:
    columns = ColumnMatcher({0: Column(Leaf("dueAt", "before", FromNow(0)))})
    assert columns.counted(Ticket("1", 0, due_at=253_402_300_799_999_999), 0) == (0, (), None)
    assert columns.counted(Ticket("1", 0, due_at=FARTHEST_CHANGE - 2), 0).next_change_at == FARTHEST_CHANGE - 1
