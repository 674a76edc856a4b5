"""The column matcher: its tables give the same result as each condition alone, whatever is in the memos."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import ALWAYS, NEVER, AllOf, AnyOf, Asks, Condition, Leaf, Not, Question
from service.domain.counting import field_table
from service.domain.counting.columns import simplify
from service.domain.counting.compiling import compiled
from service.domain.tickets.ticket import Ticket
from tests.domain.random_trees import columns_of, means, plain_leaves, tickets, trees


def ticket_with(value: object) -> Ticket:
    return Ticket("1", 0, fields={"x": value})


@given(st.lists(trees(plain_leaves).map(simplify), max_size=6), st.lists(tickets, max_size=12))
def test_a_mask_has_exactly_the_bits_of_the_conditions_that_hold(
    conditions: list[Condition], several: list[Ticket]
) -> None:
    numbered = {3 * place + 1: condition for place, condition in enumerate(conditions)}
    columns = columns_of(numbered)
    assert columns.numbers == numbered.keys()
    for ticket in [*several, *several]:  # the second time from the memo
        expected = {number for number, condition in numbered.items() if means(condition, ticket)}
        assert columns.mask(ticket, 0) == sum(1 << number for number in expected)


@given(trees(plain_leaves), tickets)
def test_a_compiled_tree_means_what_is_written(condition: Condition, ticket: Ticket) -> None:
    assert compiled(condition)(ticket, 0) == means(condition, ticket)


@given(st.permutations((1, 1.0, True, "1", 0, 0.0, False, "", None, (), [], ["1"], [True], {"1": 1})))
def test_values_that_are_one_key_to_a_dict_are_not_confused_in_any_order(values: list[object]) -> None:
    wanted = {0: 1, 1: True, 2: "1", 3: 0, 4: False}
    columns = columns_of({number: Leaf("fields.x", "eq", value) for number, value in wanted.items()})
    masks = {1: 0b00001, 2: 0b00010, 3: 0b00100, 4: 0b01000, 5: 0b10000}
    kinds = {(int, 1): 1, (float, 1): 1, (bool, 1): 2, (str, "1"): 3, (int, 0): 4, (float, 0): 4, (bool, 0): 5}
    for value in [*values, *values]:
        kind = kinds.get((type(value), value)) if isinstance(value, int | float | str) else None
        assert columns.mask(ticket_with(value), 0) == masks.get(kind or 0, 0), value


def test_the_memo_stays_bounded_and_right_over_many_values() -> None:
    columns = columns_of({0: ALWAYS, 5: Leaf("assignee", "eq", "u7"), 6: Leaf("assignee", "ne", "u7")})
    for _ in range(2):
        for number in range(2 * field_table._MEMO_LIMIT + 10):
            ticket = Ticket("1", 0, assignee=f"u{number}")
            assert columns.mask(ticket, 0) == (0b0100001 if number == 7 else 0b1000001)
    assert all(len(memo) <= field_table._MEMO_LIMIT for _, memo, _ in columns._tables)


def test_a_condition_over_several_fields_is_evaluated_as_a_whole() -> None:
    either = AnyOf((Leaf("team", "eq", "net"), Leaf("category", "eq", "c")))
    columns = columns_of({0: AllOf((Leaf("status", "eq", "1"), either)), 1: Not(either)})
    assert columns.mask(Ticket("1", 0, category="c"), 0) == 0b01
    assert columns.mask(Ticket("2", 0, team="net"), 0) == 0
    assert columns.mask(Ticket("1", 0), 0) == 0b10


def test_state_is_the_status_entry_s_and_of_an_unknown_status_the_last_event_s() -> None:
    shut = Leaf("state", "closed", (("closed",), ("closed", "open")))
    columns = columns_of({0: shut, 1: Not(shut)})
    expected = {
        ("closed", False): 0b01, ("closed", True): 0b01, ("open", False): 0b10, ("open", True): 0b10,
        ("odd", False): 0b10, ("odd", True): 0b01,
    }  # fmt: skip
    for (status, by_event), mask in [*expected.items(), *expected.items()]:
        assert columns.mask(Ticket(status, 0, closed_by_event=by_event), 0) == mask


def test_a_deadline_is_evaluated_each_time() -> None:
    late = Leaf("dueAt", "older_than", 10)
    columns = columns_of({0: ALWAYS, 2: late})
    ticket = Ticket("1", 0, due_at=100)
    assert [columns.mask(ticket, now) for now in (109, 110, 109)] == [0b001, 0b101, 0b001]


def test_conditions_on_time_that_python_takes_for_equal_are_told_apart() -> None:
    late = Leaf("dueAt", "older_than", 10)
    columns = columns_of({n: AnyOf((Leaf("fields.x", "eq", value), late)) for n, value in enumerate((1, True))})
    assert columns.mask(ticket_with(1), 0) == 0b01
    assert columns.mask(ticket_with(True), 0) == 0b10


@pytest.mark.parametrize("field", ["status", "category"])
def test_what_is_looked_up_by_a_value_is_what_each_condition_says(field: str) -> None:
    leaves: list[Condition] = [
        Leaf(field, "eq", "a"), Leaf(field, "ne", "a"), Leaf(field, "in", ("a", "b", "")), Leaf(field, "nin", ("b",)),
        Leaf(field, "is_empty"), Leaf(field, "is_not_empty"), Leaf(field, "eq", ""), Leaf(field, "eq", "\0"),
        Not(Leaf(field, "in", ("a", "\0\0"))), AnyOf((Leaf(field, "eq", "a"), Leaf(field, "is_empty"))),
        AllOf((Leaf(field, "ne", "a"), Leaf(field, "ne", "b"))),
        Leaf(field, "starts_with", "a"), Leaf(field, "eq", "a"),
    ]  # fmt: skip
    columns = columns_of(dict(enumerate(leaves)))
    for value in ("a", "b", "c", "", "\0", "\0\0", "ab", *(() if field == "status" else (None,))):
        ticket = Ticket(str(value), 0) if field == "status" else Ticket("s", 0, category=value)
        expected = sum(1 << n for n, leaf in enumerate(leaves) if compiled(leaf)(ticket, 0))
        assert columns.mask(ticket, 0) == expected, value


def test_the_memo_of_wide_masks_stays_within_its_bytes() -> None:
    columns = columns_of({n: Leaf("assignee", "eq", f"u{n}") for n in range(20_000)})
    for number in range(2_000):
        assert columns.mask(Ticket("1", 0, assignee=f"u{number}"), 0) == 1 << number
    ((_, memo, _),) = columns._tables
    assert len(memo) * 20_000 // 8 <= 1 << 20


def test_columns_beyond_64_are_bits_like_others() -> None:
    columns = columns_of({n: Leaf("status", "eq", str(n % 2)) for n in range(200)} | {1000: ALWAYS, 1001: NEVER})
    assert columns.mask(Ticket("1", 0), 0) == sum(1 << n for n in range(1, 200, 2)) | 1 << 1000


def test_no_columns_are_no_bits() -> None:
    assert columns_of({}).mask(Ticket("1", 0), 0) == 0


def test_a_condition_that_still_asks_about_the_viewer_is_refused() -> None:
    with pytest.raises(ValueError, match="viewer"):
        compiled(AllOf((Leaf("status", "eq", "1"), Asks(Question.TEAM))))
