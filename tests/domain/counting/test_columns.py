"""Residuals have the meaning of the condition, and equal simplified conditions have one column id."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import ALWAYS, NEVER, AllOf, AnyOf, Asks, Condition, Leaf, Not, Question
from service.domain.counting.columns import (
    ALL_ANSWERS,
    EVERY_TICKET,
    QUESTIONS,
    Answers,
    Column,
    column_id,
    fields_of,
    questions,
    residuals,
    simplify,
)
from service.domain.tickets.ticket import Ticket
from tests.domain.random_trees import asking_leaves, means, plain_leaves, tickets, trees

ME, MINE, TEAM = (Asks(question) for question in QUESTIONS)
OPEN, NET = Leaf("status", "eq", "1"), Leaf("team", "eq", "net")


@given(trees(asking_leaves), tickets)
def test_a_residual_holds_exactly_when_the_condition_does_under_those_answers(
    condition: Condition, ticket: Ticket
) -> None:
    plain = residuals(condition)
    assert plain.keys() == set(ALL_ANSWERS)
    for answers, left in plain.items():
        assert questions(left) == frozenset()
        assert means(left, ticket) == means(condition, ticket, answers)


@given(trees(plain_leaves), tickets)
def test_simplifying_keeps_the_meaning_and_is_done_after_once(condition: Condition, ticket: Ticket) -> None:
    simple = simplify(condition)
    assert means(simple, ticket) == means(condition, ticket)
    assert simplify(simple) == simple


@given(trees(plain_leaves))
def test_a_simple_condition_is_a_constant_or_has_none_in_it(condition: Condition) -> None:
    simple = simplify(condition)
    assert simple in (ALWAYS, NEVER) or fields_of(simple)
    assert fields_of(simple) <= fields_of(condition)


@given(st.lists(trees(plain_leaves), max_size=4), st.randoms())
def test_the_name_of_a_list_doesn_t_depend_on_order_repetition_or_nesting(
    children: list[Condition], chance: Random
) -> None:
    kinds: tuple[type[AllOf] | type[AnyOf], ...] = (AllOf, AnyOf)
    for kind in kinds:
        again = [*children, *children]
        chance.shuffle(again)
        nested = kind((kind(tuple(again[:2])), *again[2:]))
        assert simplify(kind(tuple(children))) == simplify(nested)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, "1"), ("", "a"), (1.5, 1), ((1, 2), (2, 1)), (("a",), "a"), (("a", "b"), ("ab",))],
)
def test_values_that_differ_to_a_filter_have_different_columns(one: object, other: object) -> None:
    assert column_id(Column(Leaf("fields.x", "eq", one))) != column_id(Column(Leaf("fields.x", "eq", other)))
    either = AnyOf((Leaf("fields.x", "eq", one), Leaf("fields.x", "eq", other)))
    assert len(simplify(either).children) == 2  # type: ignore[union-attr]


def test_names_tell_operators_fields_and_negation_apart() -> None:
    conditions: list[Condition] = [
        OPEN, Not(OPEN), Leaf("status", "ne", "1"), Leaf("priority", "eq", "1"), Leaf("status", "in", ("1",)),
        AllOf((OPEN, NET)), AnyOf((OPEN, NET)), ALWAYS, NEVER, Leaf("status", "is_empty"),
    ]  # fmt: skip
    assert len({column_id(Column(condition)) for condition in conditions}) == len(conditions)
    assert column_id(Column(ALWAYS)) == EVERY_TICKET


@pytest.mark.parametrize(
    ("condition", "distinct"),
    [
        (OPEN, 1),
        (ME, 2),
        (AllOf((ME, OPEN)), 2),
        (AnyOf((ME, AllOf((TEAM, OPEN)))), 3),
        (AnyOf((AllOf((ME, OPEN)), AllOf((TEAM, NET)), AllOf((MINE, Not(OPEN))))), 8),
    ],
)
def test_a_condition_has_few_residuals(condition: Condition, distinct: int) -> None:
    assert len({column_id(Column(left)) for left in residuals(condition).values()}) == distinct


def test_mine_or_waiting_in_my_team() -> None:
    left = residuals(AnyOf((ME, AllOf((TEAM, OPEN)))))
    expected: dict[Answers, Condition] = {
        (assigned, requested, team): ALWAYS if assigned else OPEN if team else NEVER
        for assigned, requested, team in ALL_ANSWERS
    }
    assert left == expected


def test_questions_and_fields_are_found_wherever_they_stand() -> None:
    condition = Not(AllOf((AnyOf((ME, OPEN)), Not(Not(TEAM)), NET)))
    assert questions(condition) == {Question.ASSIGNED, Question.TEAM}
    assert fields_of(condition) == {"status", "team"}
