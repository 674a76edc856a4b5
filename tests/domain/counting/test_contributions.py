"""Contributions of tickets and their changes: the sum of all changes equals the final contributions."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import ALWAYS, Leaf
from service.domain.counting.contributions import (
    Cell,
    Changes,
    Deltas,
    cells,
    column_changes,
    contributions,
    numbers_in,
)
from service.domain.tickets.ticket import Ticket, TicketState
from tests.domain.random_trees import columns_of, tickets

COLUMNS = columns_of(
    {0: ALWAYS, 1: Leaf("status", "eq", "1"), 7: Leaf("slaBreached", "is_true"), 70: Leaf("category", "is_empty")}
)

ticket_states = st.one_of(
    st.builds(lambda ticket: TicketState(1, ticket, 0, COLUMNS.mask(ticket, 0)), tickets),
    st.just(TicketState(1, None, 0)),
)
histories = st.lists(st.tuples(st.integers(0, 3), ticket_states), max_size=25)


def as_counter(deltas: Deltas) -> Counter[Cell]:
    return Counter(
        {
            Cell(column, (counter, part)): change
            for counter, parts in deltas.items()
            for part, masks in parts.items()
            for column, change in column_changes(masks).items()
        }
    )


def counted(state: dict[int, TicketState]) -> Counter[Cell]:
    found: Counter[Cell] = Counter()
    for ticket_state in state.values():
        if ticket_state.ticket is not None:
            found.update(contributions(ticket_state.ticket, COLUMNS, 0))
    return found


@given(histories, st.integers(1, 5))
def test_the_sum_of_all_changes_is_what_the_end_state_contributes(
    history: list[tuple[int, TicketState]], batch: int
) -> None:
    state: dict[int, TicketState] = {}
    total: Counter[Cell] = Counter()
    for start in range(0, len(history), batch):
        changes = Changes()
        for name, ticket_state in history[start : start + batch]:
            changes.add(state.get(name), ticket_state)
            state[name] = ticket_state
        deltas = changes.deltas()
        assert all(change for change in as_counter(deltas).values()), "a cell that came out even is left out"
        assert all(parts and all(parts.values()) for parts in deltas.values()), "so are empty parts"
        total.update(as_counter(deltas))
    assert +total == counted(state)
    assert not -total


@given(st.lists(ticket_states, max_size=8))
def test_there_and_back_again_changes_nothing(path: list[TicketState]) -> None:
    changes = Changes()
    way: list[TicketState | None] = [None, *path, *reversed(path[:-1]), None]
    for before, after in pairwise(way):
        changes.add(before, after)
    assert changes.deltas() == {}


@given(ticket_states, ticket_states)
def test_asking_for_deltas_twice_says_the_same(one: TicketState, other: TicketState) -> None:
    changes = Changes()
    changes.add(None, one)
    changes.deltas()
    changes.add(one, other)
    assert as_counter(changes.deltas()) == counted({0: other})
    assert changes.deltas() == changes.deltas()


def test_a_ticket_counts_in_each_of_its_columns_in_each_of_its_places() -> None:
    ticket = Ticket("1", 0, team="net", assignee="ann", requester="ann", category="c")
    places = [("*", ""), ("t:net", ""), ("a:ann", "t:net"), ("r:ann", "at:net")]
    assert contributions(ticket, COLUMNS, 0) == {Cell(column, place) for column in (0, 1) for place in places}


def test_a_deleted_ticket_contributes_nothing() -> None:
    assert list(cells(None, 0b11)) == []


def test_a_change_of_columns_alone_touches_only_those() -> None:
    before = TicketState(1, Ticket("1", 0, team="net"), 0, 0b1011)
    after = TicketState(2, Ticket("2", 0, team="net"), 0, 0b1101)
    changes = Changes()
    changes.add(before, after)
    assert changes.deltas() == {"*": {"": {0b1011: -1, 0b1101: 1}}, "t:net": {"": {0b1011: -1, 0b1101: 1}}}
    assert column_changes(changes.deltas()["*"][""]) == {1: -1, 2: 1}


def test_a_move_to_another_team_takes_everything_along() -> None:
    before, after = (TicketState(1, Ticket("1", 0, team=team, assignee="ann"), 0, 0b11) for team in ("net", "dba"))
    changes = Changes()
    changes.add(before, after)
    assert changes.deltas() == {
        "t:net": {"": {0b11: -1}},
        "t:dba": {"": {0b11: 1}},
        "a:ann": {"t:net": {0b11: -1}, "t:dba": {0b11: 1}},
    }


@given(st.dictionaries(st.integers(1, 1 << 80), st.integers(-40, 40), max_size=12))
def test_columns_gain_what_each_mask_with_them_gains(masks: dict[int, int]) -> None:
    expected: Counter[int] = Counter()
    for mask, change in masks.items():
        for column in range(81):
            expected[column] += change * (mask >> column & 1)
    assert column_changes(masks) == {column: change for column, change in expected.items() if change}


@given(st.sets(st.integers(0, 600)))
def test_a_mask_has_the_columns_whose_bits_are_set(columns: set[int]) -> None:
    assert numbers_in(sum(1 << column for column in columns)) == tuple(sorted(columns))
