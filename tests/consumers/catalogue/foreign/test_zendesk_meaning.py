"""Zendesk's views mean what they meant: against a slow reading of its rules, written for the test alone."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from consumers.catalogue.foreign.zendesk import PRIORITIES, STATUSES
from tests.consumers.catalogue.foreign.test_zendesk import given_condition, read, view, where_of
from tests.oracle import conditions as oracle
from tests.oracle.tickets import Ticket
from tests.support.examples import examples

PEOPLE = st.sampled_from(("", "current_user", "1", "2"))
SUPPORTED = st.one_of(
    st.tuples(
        st.just("status"), st.sampled_from(("is", "is_not", "less_than", "greater_than")), st.sampled_from(STATUSES)
    ),
    st.tuples(
        st.just("priority"), st.sampled_from(("is", "is_not", "less_than", "greater_than")), st.sampled_from(PRIORITIES)
    ),
    st.tuples(st.sampled_from(("assignee_id", "requester_id")), st.sampled_from(("is", "is_not")), PEOPLE),
    st.tuples(
        st.just("group_id"), st.sampled_from(("is", "is_not")), st.sampled_from(("", "current_groups", "8", "9"))
    ),
    st.tuples(
        st.just("current_tags"),
        st.sampled_from(("includes", "not_includes")),
        st.sampled_from(("vip", "vip late", "x")),
    ),
)
HOURS = st.tuples(
    st.sampled_from(("NEW", "updated_at", "CLOSED", "due_date", "until_due_date", "sla_next_breach_at", "OPEN")),
    st.sampled_from(("is", "less_than", "greater_than")),
    st.integers(0, 87_599_999),
)
TICKETS = st.fixed_dictionaries(
    {"status": st.sampled_from(STATUSES)},
    optional={
        "priority": st.sampled_from(PRIORITIES),
        "assignee": st.sampled_from(("1", "2", "me")),
        "requester": st.sampled_from(("1", "me", None)),
        "team": st.sampled_from(("8", "9", "mine", "")),
        "tags": st.lists(st.sampled_from(("vip", "late", "old")), unique=True),
    },
)


def slowly(field: str, operator: str, value: str, ticket: dict[str, Any]) -> bool:
    """Zendesk's rule for one condition, read off its reference."""
    if field == "current_tags":
        shared = set(value.split()) & set(ticket.get("tags") or [])
        return bool(shared) is (operator == "includes")
    name = {"assignee_id": "assignee", "requester_id": "requester", "group_id": "team"}.get(field, field)
    has = ticket.get(name) or ""
    if field in ("status", "priority") and operator in ("less_than", "greater_than"):
        order = STATUSES if field == "status" else PRIORITIES
        return (
            order.index(has) < order.index(value) if operator == "less_than" else order.index(has) > order.index(value)
        )
    wanted = {"current_user": "me", "current_groups": "mine"}.get(value, value)
    return (has == wanted) is (operator == "is")


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(SUPPORTED, max_size=3), st.lists(SUPPORTED, max_size=3), TICKETS)
def test_a_view_means_what_it_meant(
    every: list[tuple[str, str, str]], some: list[tuple[str, str, str]], ticket: dict[str, Any]
) -> None:
    assume(every or some)
    result = read(view([given_condition(*one) for one in every], [given_condition(*one) for one in some]))
    assert result.messages == ()
    where = json.loads(result.lines[0])["value"]["where"]
    meant = all(slowly(*one, ticket) for one in every) and (not some or any(slowly(*one, ticket) for one in some))
    context = oracle.ConditionContext({"statuses": [], "priorities": []}, "me", frozenset(("mine",)), 0, "UTC")
    assert oracle.holds(where, Ticket(1, "ticket.updated", ticket), context) is meant


@given(HOURS)
def test_hours_always_compile(hours: tuple[str, str, int]) -> None:
    where_of(given_condition(*hours))
