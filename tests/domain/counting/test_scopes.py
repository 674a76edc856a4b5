"""Scopes and signed sums: exact for every tree, role, perspective and viewer."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import ALWAYS, NEVER, AllOf, AnyOf, Asks, Condition, Leaf, Not, Question
from service.domain.counting.columns import Column, column_id, residuals
from service.domain.counting.compiling import compiled
from service.domain.counting.scopes import EVERYONE, parts_of, places_of, scopes_for, signed_sum
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tickets.ticket import Ticket
from tests.domain.random_trees import TEAMS, USERS, answers_of, asking_leaves, means, tickets, trees

ME, MINE, TEAM = Asks(Question.ASSIGNED), Asks(Question.REQUESTED), Asks(Question.TEAM)
OPEN = Leaf("status", "eq", "1")


def may_see(ticket: Ticket, viewer: Viewer, perspective: Perspective) -> bool:
    """Whether role and perspective let the viewer see the ticket, by the contract."""
    own = ticket.assignee == viewer.user or ticket.team in viewer.teams
    requested = ticket.requester == viewer.user
    allowed = viewer.role is Role.ADMIN or (own if viewer.role is Role.AGENT else requested)
    if perspective is Perspective.AGENT:
        return allowed and own
    return allowed and requested if perspective is Perspective.USER else allowed


def summed(condition: Condition, several: list[Ticket], viewer: Viewer, perspective: Perspective) -> int:
    """Returns the signed sum over counters that are built from the tickets."""
    cells: dict[tuple[str, str], Counter[str]] = {}
    plain = {column_id(Column(left)): compiled(left) for left in residuals(condition).values() if left != NEVER}
    for ticket in several:
        for name, holds in plain.items():
            if holds(ticket, 0):
                for counter, part in places_of(ticket):
                    cells.setdefault((name, counter), Counter())[part] += 1
    return sum(
        term.sign * sum(parts_of(scope.part, cells.get((term.column, scope.counter), {})))
        for term in signed_sum(condition, viewer.role, perspective)
        for scope in scopes_for(term.questions, viewer)
    )


@given(
    trees(asking_leaves),
    st.lists(tickets, max_size=12),
    st.sampled_from(USERS),
    st.frozensets(st.sampled_from(TEAMS)),
)
def test_a_signed_sum_is_the_number_of_tickets_that_are_seen_and_fit(
    condition: Condition, several: list[Ticket], user: str, teams: frozenset[str]
) -> None:
    for role in Role:
        viewer = Viewer(user, role, teams)
        for perspective in Perspective:
            expected = sum(
                may_see(ticket, viewer, perspective) and means(condition, ticket, answers_of(ticket, viewer))
                for ticket in several
            )
            assert summed(condition, several, viewer, perspective) == expected, (role, perspective)


@given(tickets)
def test_a_ticket_is_counted_in_one_to_four_places_each_once(ticket: Ticket) -> None:
    places = places_of(ticket)
    assert len(set(places)) == len(places)
    assert len({counter for counter, _ in places}) == len(places), "the parts of a counter have no ticket in common"
    owners = (ticket.assignee, ticket.requester, ticket.team)
    assert len(places) == 1 + sum(value is not None for value in owners)
    assert (EVERYONE, "") in places


@given(tickets, st.sampled_from(USERS), st.frozensets(st.sampled_from(TEAMS)))
def test_a_ticket_is_in_a_viewer_s_scopes_exactly_when_it_answers_yes(
    ticket: Ticket, user: str, teams: frozenset[str]
) -> None:
    viewer = Viewer(user, Role.ADMIN, teams)
    expected = dict(
        zip((Question.ASSIGNED, Question.REQUESTED, Question.TEAM), answers_of(ticket, viewer), strict=True)
    )
    for product in (frozenset(q for n, q in enumerate(Question) if bits >> n & 1) for bits in range(8)):
        counters = {counter: {part: 1} for counter, part in places_of(ticket)}
        hits = sum(sum(parts_of(scope.part, counters.get(scope.counter, {}))) for scope in scopes_for(product, viewer))
        assert hits == all(expected[question] for question in product), product


ODD = ("a", "a:b", "t:x", "", "*", "r:", "at:x", "x", "{x}")


@given(st.lists(st.tuples(*[st.sampled_from((None, *ODD[:3], *ODD[4:]))] * 3), max_size=8))
def test_odd_ids_share_no_scope(places: list[tuple[str | None, str | None, str | None]]) -> None:
    several = [Ticket("1", 0, assignee=a, requester=r, team=t) for a, r, t in places]
    for user in (*ODD, "nobody"):
        for teams in (frozenset[str](), frozenset(("x",)), frozenset(("a", "t:x"))):
            viewer = Viewer(user, Role.AGENT, teams)
            seen = sum(ticket.assignee == user or ticket.team in teams for ticket in several)
            assert summed(ALWAYS, several, viewer, Perspective.TEMPLATE) == seen


def test_the_sums_of_the_plain_cases_have_no_more_terms_than_they_need() -> None:
    everyone = frozenset[Question]()
    assigned, team = frozenset((Question.ASSIGNED,)), frozenset((Question.TEAM,))
    admin = signed_sum(OPEN, Role.ADMIN, Perspective.TEMPLATE)
    assert [(term.sign, term.questions) for term in admin] == [(1, everyone)]
    agent = signed_sum(OPEN, Role.AGENT, Perspective.TEMPLATE)
    assert {(term.sign, term.questions) for term in agent} == {(1, assigned), (1, team), (-1, assigned | team)}
    user = signed_sum(OPEN, Role.USER, Perspective.TEMPLATE)
    assert [(term.sign, term.questions) for term in user] == [(1, frozenset((Question.REQUESTED,)))]


@pytest.mark.parametrize("role", Role)
def test_what_never_holds_needs_no_counter(role: Role) -> None:
    for condition in (NEVER, AllOf((ME, Not(ME), OPEN)), Not(AnyOf((TEAM, Not(TEAM))))):
        assert signed_sum(condition, role, Perspective.TEMPLATE) == ()


def test_without_teams_an_agent_sees_what_is_assigned_to_them() -> None:
    several = [Ticket("1", 0, assignee="ann", team="net"), Ticket("1", 0, team="net"), Ticket("1", 0)]
    agent = Viewer("ann", Role.AGENT)
    assert summed(ALWAYS, several, agent, Perspective.TEMPLATE) == 1
    assert summed(TEAM, several, agent, Perspective.TEMPLATE) == 0
    assert summed(Not(TEAM), several, agent, Perspective.AGENT) == 1
    assert scopes_for(frozenset((Question.TEAM,)), agent) == []
