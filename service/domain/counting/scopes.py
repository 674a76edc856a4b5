"""Scopes: the slices of a tenant's tickets that have counters, and the signed sums of them that a viewer needs. Pure.

The sums use inclusion and exclusion over the three viewer questions: each product of questions is one kind of scope.
Example: an agent sees the tickets assigned to them (A) and those in their teams (T), so `A + T - (A and T)`. A ticket
has one team, so "in my teams" is a plain sum over teams.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from service.domain.conditions.condition import NEVER, Condition, Question
from service.domain.counting.columns import ALL_ANSWERS, QUESTIONS, Answers, column_id, residuals
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.counting.windows import Region, summands
from service.domain.tickets.ticket import Ticket

EVERYONE = "*"
PERSONS = ("a:", "r:")
"""The prefixes of the counters of assignees and requesters. Those of teams begin with "t:"."""


class Scope(NamedTuple):
    """A slice of tickets: a counter, and the part of it (all scopes of one person share a counter).

    Its count is the sum of the parts that `parts_of` returns.
    """

    counter: str
    part: str = ""


Place = tuple[str, str]
"""A counter and a part of it, in which a ticket is counted. The parts of a counter have no ticket in common."""

Part = TypeVar("Part")


class Term(NamedTuple):
    """One summand: `sign` times the column's count of the tickets that answer yes to all `questions`.

    For a column kept by time, only the tickets within the region.
    """

    sign: int
    questions: frozenset[Question]
    column: str
    region: Region | None = None


def places_of(ticket: Ticket) -> list[Place]:
    """Returns the one to four places that count this ticket.

    All eight scopes are sums of such places. Counting a ticket in every scope instead would double what each event
    writes. An assignee's counter has one part per team. A requester's counter has two: with "a" in front for tickets
    that are also assigned to the requester. Example: a ticket of team `net`, assigned to and requested by `ann`, counts
    in `*`, in `t:net`, in part `t:net` of `a:ann`, and in part `at:net` of `r:ann`.
    """
    places = [(EVERYONE, "")]
    in_team = ""
    if ticket.team is not None:
        in_team = "t:" + ticket.team
        places.append((in_team, ""))
    if ticket.assignee is not None:
        places.append(("a:" + ticket.assignee, in_team))
    if ticket.requester is not None:
        places.append(("r:" + ticket.requester, "a" + in_team if ticket.requester == ticket.assignee else in_team))
    return places


def parts_of(part: str, counter: Mapping[str, Part]) -> list[Part]:
    """Returns the values of the counter's parts that together are the scope (counter, `part`).

    "" selects all parts, "a" those with the same assignee, and "t:net" the parts "t:net" and "at:net".
    """
    if not part:
        return list(counter.values())
    if part == "a":
        return [value for name, value in counter.items() if name.startswith("a")]
    names = (part, "a" + part) if part.startswith("t:") else (part,)
    return [counter[name] for name in names if name in counter]


def scopes_for(product: frozenset[Question], viewer: Viewer) -> list[Scope]:
    """Returns the scopes whose sum counts the tickets that answer yes to all questions for this viewer."""
    parts = [""]
    if Question.REQUESTED in product:
        counter = "r:" + viewer.user
        prefix = "a" if Question.ASSIGNED in product else ""
        parts = [prefix + "t:" + team for team in sorted(viewer.teams)] if Question.TEAM in product else [prefix]
    elif Question.ASSIGNED in product:
        counter = "a:" + viewer.user
        parts = ["t:" + team for team in sorted(viewer.teams)] if Question.TEAM in product else [""]
    elif Question.TEAM in product:
        return [Scope("t:" + team) for team in sorted(viewer.teams)]
    else:
        counter = EVERYONE
    return [Scope(counter, part) for part in parts]


def visible(role: Role, perspective: Perspective, answers: Answers) -> bool:
    """Whether the viewer sees a ticket with these answers: the role must allow it, and so must the perspective."""
    assigned, requested, team = answers
    by_role = {Role.USER: requested, Role.AGENT: assigned or team, Role.ADMIN: True}[role]
    by_perspective = {
        Perspective.TEMPLATE: True,
        Perspective.AGENT: assigned or team,
        Perspective.USER: requested,
    }[perspective]
    return by_role and by_perspective


def signed_sum(condition: Condition, role: Role, perspective: Perspective) -> tuple[Term, ...]:
    """Returns the signed sum of a lowered condition (a filter, or profile and filter) for a role and perspective."""
    counted: dict[tuple[str, Region | None], dict[Answers, int]] = {}
    named: dict[int, list[tuple[int, str, Region | None]]] = {}  # by id(): most of the eight residuals are one object
    for answers, plain in residuals(condition).items():
        if plain == NEVER or not visible(role, perspective, answers):
            continue
        if id(plain) not in named:
            named[id(plain)] = [(one.sign, column_id(one.column), one.region) for one in summands(plain)]
        for sign, column, region in named[id(plain)]:
            chosen = counted.setdefault((column, region), {})
            chosen[answers] = chosen.get(answers, 0) + sign
    return tuple(
        Term(sign, questions, column, region)
        for (column, region), chosen in counted.items()
        for questions, sign in _products(chosen).items()
        if sign
    )


def _products(chosen: Mapping[Answers, int]) -> Mapping[frozenset[Question], int]:
    """Turns answers -> times counted into product of questions -> sign, by Moebius inversion."""
    return {
        frozenset(question for question, included in zip(QUESTIONS, product, strict=True) if included): sum(
            -times if (sum(product) - sum(answers)) % 2 else times
            for answers, times in chosen.items()
            if _within(answers, product)
        )
        for product in ALL_ANSWERS
    }


def _within(answers: Answers, product: Answers) -> bool:
    return all(included or not answer for answer, included in zip(answers, product, strict=True))
