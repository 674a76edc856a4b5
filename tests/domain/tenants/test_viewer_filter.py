"""The viewer filter's inputs besides the ticket: viewer, instant, local day, and the derived `slaBreached`."""

from typing import Any

import pytest

from service.domain.catalogue.catalogue import Status, TenantSettings
from service.domain.conditions.where import parse_where
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.viewer_filter import ViewerFilter
from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Ticket
from tests.support.days import day

NOW = parse_instant("2026-03-08T16:00:00Z")
"""Noon in Havana on a day without a midnight: the day began at 05:00 UTC."""
SETTINGS = TenantSettings("acme", "Acme", "r", (Status("o", "Open"), Status("c", "Closed", closed=True)))
ADMIN = Viewer("ann", Role.ADMIN)


def ticket(**changes: Any) -> Ticket:
    usual: dict[str, Any] = {"status": "o", "created_at": 0}
    return Ticket(**usual | changes)


def counts(
    where: object,
    found: Ticket,
    viewer: Viewer = ADMIN,
    perspective: Perspective = Perspective.TEMPLATE,
    name: str = "America/Havana",
) -> bool:
    return ViewerFilter(parse_where(where), SETTINGS, viewer, perspective, NOW, day(name, NOW)).counts(found)


def leaf(field: str, op: str, value: object = None) -> dict[str, object]:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


@pytest.mark.parametrize(
    ("word", "inside", "outside"),
    [
        ("today", ("2026-03-08T05:00:00Z", "2026-03-09T03:59:59.999999Z"), ("2026-03-08T04:59:59.999999Z",)),
        (
            "tomorrow",
            ("2026-03-09T04:00:00Z", "2026-03-10T03:59:59Z"),
            ("2026-03-09T03:59:59Z", "2026-03-10T04:00:00Z"),
        ),
        ("yesterday", ("2026-03-07T05:00:00Z", "2026-03-08T04:59:59Z"), ("2026-03-08T05:00:00Z",)),
        ("this_week", ("2026-03-02T05:00:00Z", "2026-03-09T03:59:59Z"), ("2026-03-02T04:59:59Z",)),
        ("this_month", ("2026-03-01T05:00:00Z", "2026-04-01T03:59:59Z"), ("2026-04-01T04:00:00Z",)),
    ],
)
def test_a_word_is_a_window_of_the_viewers_zone(word: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    for text in inside + outside:
        own, custom = ticket(due_at=parse_instant(text)), ticket(fields={"on": text})
        for where, found in ((leaf("dueAt", "within", word), own), (leaf("fields.on", "within", word), custom)):
            assert counts(where, found) is (text in inside), text
            assert counts({"not": where}, found) is (text in outside), text


@pytest.mark.parametrize("field", ["dueAt", "fields.on"])
def test_what_is_empty_or_no_instant_lies_in_no_window(field: str) -> None:
    for found in (ticket(), ticket(fields={"on": ""}), ticket(fields={"on": "today"}), ticket(fields={"on": 5})):
        assert not counts(leaf(field, "within", "today"), found)
        assert counts({"not": leaf(field, "within", "today")}, found)


@pytest.mark.parametrize(
    ("found", "breached"),
    [
        (ticket(sla_breached=True), True),
        (ticket(sla_breached=True, status="c"), True),
        (ticket(sla_due_at=NOW - 1), True),
        (ticket(sla_due_at=NOW), False),
        (ticket(sla_due_at=NOW - 1, status="c"), False),
        (ticket(sla_due_at=NOW - 1, status="unknown"), True),
        (ticket(sla_due_at=NOW - 1, status="unknown", closed_by_event=True), False),
        (ticket(), False),
    ],
)
def test_breached_is_the_flag_or_open_past_the_deadline(found: Ticket, breached: bool) -> None:
    assert counts(leaf("slaBreached", "is_true"), found) is breached
    assert counts(leaf("slaBreached", "eq", value=True), found) is breached
    assert counts(leaf("slaBreached", "is_false"), found) is not breached
    assert counts(leaf("slaBreached", "ne", value=True), found) is not breached
    assert counts({"not": leaf("slaBreached", "is_true")}, found) is not breached
    assert not counts(leaf("slaBreached", "is_empty"), found)


def test_the_condition_sees_only_what_role_and_perspective_leave() -> None:
    everything = leaf("status", "is_not_empty")
    assigned, in_team, requested = ticket(assignee="ann"), ticket(team="net"), ticket(requester="ann")
    seen = {
        (role, perspective): [counts(everything, one, Viewer("ann", role, frozenset({"net"})), perspective)
                              for one in (assigned, in_team, requested, ticket())]
        for role in Role for perspective in Perspective
    }  # fmt: skip
    nothing, agents, users, all_of_them = (
        [False] * 4,
        [True, True, False, False],
        [False, False, True, False],
        [True] * 4,
    )
    assert seen == {
        (Role.USER, Perspective.TEMPLATE): users,
        (Role.USER, Perspective.AGENT): nothing,
        (Role.USER, Perspective.USER): users,
        (Role.AGENT, Perspective.TEMPLATE): agents,
        (Role.AGENT, Perspective.AGENT): agents,
        (Role.AGENT, Perspective.USER): nothing,
        (Role.ADMIN, Perspective.TEMPLATE): all_of_them,
        (Role.ADMIN, Perspective.AGENT): agents,
        (Role.ADMIN, Perspective.USER): users,
    }


def test_the_viewers_words_are_the_viewer() -> None:
    viewer = Viewer("ann", Role.ADMIN, frozenset({"net", "ops"}))
    where = {"any": [leaf("assignee", "eq", "@me"), {"not": leaf("team", "in", ["@my_teams", "lab"])}]}
    for found, expected in (
        (ticket(assignee="ann", team="net"), True),
        (ticket(assignee="bob", team="ops"), False),
        (ticket(team="lab"), False),
        (ticket(team="x"), True),
        (ticket(), True),
    ):
        assert counts(where, found, viewer) is expected
