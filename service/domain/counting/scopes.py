"""Scopes: the slices of a tenant's tickets that counters are kept for, and which of them a viewer sums. Pure.

Inclusion and exclusion over the three questions: the number of tickets with some answers in a column is a signed
sum over products of questions, and each product is one kind of scope. A ticket has one team, so "my teams" is a
plain sum over teams.
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
"""What the counters of assignees and of requesters begin with; teams' begin with "t:"."""


class Scope(NamedTuple):
    """A slice of tickets: the counter it is kept in, and which of it (scopes of one person share a counter).

    It is the sum of the places that `parts_of` finds for it.
    """

    counter: str
    part: str = ""


Place = tuple[str, str]
"""Where a ticket is counted: a counter, and a part of it. The parts of a counter have no ticket in common."""

Part = TypeVar("Part")


class Term(NamedTuple):
    """One summand: `sign` times the column's count over the scopes that answer yes to all `questions`.

    Of a column that is kept by time, what it counts in the region.
    """

    sign: int
    questions: frozenset[Question]
    column: str
    region: Region | None = None


def places_of(ticket: Ticket) -> list[Place]:
    """The one to four places this ticket is counted in, which say for each of the eight scopes whether it is there.

    Counting it in every scope instead would double what each event writes: a person's counter is cut by team, a
    requester's also by whether the assignee is the same person, and its other scopes are sums of these.
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
    """The parts of a counter that make up the scope which has `part` there."""
    if not part:
        return list(counter.values())
    if part == "a":
        return [value for name, value in counter.items() if name.startswith("a")]
    names = (part, "a" + part) if part.startswith("t:") else (part,)
    return [counter[name] for name in names if name in counter]


def scopes_for(asked: frozenset[Question], viewer: Viewer) -> list[Scope]:
    """The scopes whose plain sum counts the tickets that answer yes to all of `asked` for this viewer."""
    parts = [""]
    if Question.REQUESTED in asked:
        counter = "r:" + viewer.user
        prefix = "a" if Question.ASSIGNED in asked else ""
        parts = [prefix + "t:" + team for team in sorted(viewer.teams)] if Question.TEAM in asked else [prefix]
    elif Question.ASSIGNED in asked:
        counter = "a:" + viewer.user
        parts = ["t:" + team for team in sorted(viewer.teams)] if Question.TEAM in asked else [""]
    elif Question.TEAM in asked:
        return [Scope("t:" + team) for team in sorted(viewer.teams)]
    else:
        counter = EVERYONE
    return [Scope(counter, part) for part in parts]


def visible(role: Role, perspective: Perspective, answers: Answers) -> bool:
    """Whether a ticket with these answers may be counted at all: the role's scope, narrowed by the perspective."""
    assigned, requested, team = answers
    by_role = {Role.USER: requested, Role.AGENT: assigned or team, Role.ADMIN: True}[role]
    by_perspective = {
        Perspective.TEMPLATE: True,
        Perspective.AGENT: assigned or team,
        Perspective.USER: requested,
    }[perspective]
    return by_role and by_perspective


def signed_sum(condition: Condition, role: Role, perspective: Perspective) -> tuple[Term, ...]:
    """The lowered `condition` (a filter, or profile and filter) as a viewer of this role sees it."""
    counted: dict[tuple[str, Region | None], dict[Answers, int]] = {}
    named: dict[int, list[tuple[int, str, Region | None]]] = {}  # most of the eight are one object
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
    """Writes how often tickets count, by their answers, as a sum of products of questions (Moebius inversion)."""
    return {
        frozenset(question for question, asked in zip(QUESTIONS, product, strict=True) if asked): sum(
            -times if (sum(product) - sum(answers)) % 2 else times
            for answers, times in chosen.items()
            if _within(answers, product)
        )
        for product in ALL_ANSWERS
    }


def _within(answers: Answers, product: Answers) -> bool:
    return all(asked or not answer for answer, asked in zip(answers, product, strict=True))
