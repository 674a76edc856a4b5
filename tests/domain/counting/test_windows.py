"""Calendar words as sums over quarters: for any tree in any zone the sum equals a count of the tickets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import AllOf, AnyOf, Condition, FromNow, Leaf, Not
from service.domain.conditions.operators import WORDS
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.columns import Column, simplify
from service.domain.counting.compiling import compiled
from service.domain.counting.windows import Region, needs_day, on_day, summands, words_by_field
from service.domain.tickets.ticket import QUARTER_US, Ticket
from tests.support.days import NOON_US, day

HOUR_US, DAY_US = 4 * QUARTER_US, 96 * QUARTER_US
ZONES = ("UTC", "Asia/Kathmandu", "America/Havana", "Pacific/Chatham", "Pacific/Kiritimati", "America/St_Johns")

calendar = st.builds(Leaf, st.just("dueAt"), st.just("within"), st.sampled_from(WORDS))
others = st.sampled_from(
    (
        Leaf("status", "eq", "1"),
        Leaf("dueAt", "is_empty"),
        Leaf("dueAt", "before", FromNow(0)),
        Leaf("createdAt", "older_than", DAY_US),
    )
)


def grown(children: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.builds(AllOf, several) | st.builds(AnyOf, several) | st.builds(Not, children)


trees: st.SearchStrategy[Condition] = st.recursive(calendar | others, grown, max_leaves=6)
hairs = st.sampled_from((-1, 0, 1))
instants = st.builds(
    lambda days, quarters, hair: NOON_US + days * DAY_US + quarters * QUARTER_US + hair,
    st.integers(-40, 40), st.integers(-48, 48), hairs,
)  # fmt: skip
tickets = st.builds(
    lambda status, created, due: Ticket(status, created, due_at=due),
    st.sampled_from(("1", "2")), instants, st.none() | instants,
)  # fmt: skip


def summed(condition: Condition, ticket: Ticket, now: int, zone: str) -> int:
    """Returns the sum over one ticket, from its columns as they are stored."""
    total = 0
    for sign, column, region in summands(simplify(condition)):
        counted = ColumnMatcher({0: column}).counted(ticket, now)
        if region is None:
            total += sign * counted.mask
            continue
        spans = region.spans(day(zone, now))
        total += sign * sum(first <= quarter < beyond for _, quarter in counted.time_buckets for first, beyond in spans)
    return total


@given(trees, st.lists(tickets, min_size=1, max_size=4), st.integers(0, 40 * 96), st.sampled_from(ZONES))
def test_the_sum_counts_a_ticket_exactly_when_the_condition_holds_that_day(
    condition: Condition, several: list[Ticket], later: int, zone: str
) -> None:
    now = NOON_US + later * QUARTER_US
    holds = compiled(on_day(condition, day(zone, now)))
    for ticket in several:
        assert summed(condition, ticket, now, zone) == holds(ticket, now)


@given(trees, tickets, st.integers(-2 * 96, 2 * 96), st.sampled_from(ZONES))
def test_readers_are_right_for_two_days_after_the_last_look_at_a_ticket(
    condition: Condition, ticket: Ticket, later: int, zone: str
) -> None:
    """The reader's clock advances while no consumer runs: calendar words move on, but deadlines don't."""
    applied, read = NOON_US, NOON_US + max(0, later) * QUARTER_US
    today = day(zone, read)
    total = 0
    for sign, column, region in summands(simplify(condition)):
        counted = ColumnMatcher({0: column}).counted(ticket, applied)
        spans = () if region is None else region.spans(today)
        time_buckets = [q for _, q in counted.time_buckets if any(first <= q < beyond for first, beyond in spans)]
        total += sign * (counted.mask if region is None else len(time_buckets))
    assert total == compiled(on_day(condition, today))(ticket, applied)


def test_a_conjunction_is_one_column_by_time_alone() -> None:
    today = Leaf("dueAt", "within", "today")
    ((sign, column, region),) = summands(simplify(AllOf((Leaf("status", "eq", "1"), today))))
    assert (sign, column.by, region) == (1, "dueAt", Region(("today",), ()))
    assert [one.sign for one in summands(simplify(Not(today)))] == [1, -1], "all, less those of the day"


def test_what_is_too_far_from_now_is_not_kept_by_time() -> None:
    ((_, column, _),) = summands(Leaf("dueAt", "within", "this_month"))
    columns = ColumnMatcher({5: column})
    near, far = Ticket("1", 0, due_at=NOON_US + 34 * DAY_US), Ticket("1", 0, due_at=NOON_US + 35 * DAY_US)
    assert columns.counted(near, NOON_US).time_buckets == ((5, (NOON_US + 34 * DAY_US) // QUARTER_US),)
    assert columns.counted(near, NOON_US).next_change_at == NOON_US + 68 * DAY_US, "then it is past"
    assert columns.counted(far, NOON_US) == (0, (), NOON_US + DAY_US), "then it comes near"
    assert columns.counted(Ticket("1", 0), NOON_US) == (0, (), None)


def test_only_the_days_of_two_fields_need_a_column_for_a_date() -> None:
    created, due = Leaf("createdAt", "within", "today"), Leaf("dueAt", "within", "this_week")
    assert not needs_day(AllOf((due, Leaf("dueAt", "within", "tomorrow"))))
    assert needs_day(AllOf((created, due)))
    assert words_by_field(AllOf((created, due))) == {"createdAt": ("today",), "dueAt": ("this_week",)}
    with pytest.raises(ValueError, match="too many values"):
        list(summands(AllOf((created, due))))


def test_a_region_leaves_out_what_its_other_words_mean() -> None:
    noon = day("UTC")
    today = noon.window("today")[0] // QUARTER_US
    assert Region(("today",), ()).spans(noon) == ((today, today + 96),)
    week, beyond = (end // QUARTER_US for end in noon.window("this_week"))
    assert Region(("this_week",), ("today",)).spans(noon) == ((week, today), (today + 96, beyond))
    assert Region(("today", "tomorrow"), ()).spans(noon) == ()
    assert Region(("today",), ("this_week",)).spans(noon) == ()


def test_columns_of_two_words_of_one_field_share_what_they_can() -> None:
    either = AnyOf((Leaf("dueAt", "within", "today"), Leaf("dueAt", "within", "tomorrow")))
    columns = {one.column for one in summands(simplify(either))}
    assert len(columns) == 1
    assert Column(simplify(either)) not in columns
