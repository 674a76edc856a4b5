"""Conditions in words: what each operator looks like, and that texts tell apart what isn't the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.catalogue.printing import duration, instant, printed
from service.domain.catalogue.catalogue import Priority, Status, TenantSettings
from service.domain.conditions.condition import ALWAYS, NEVER
from service.domain.conditions.durations import parse_duration
from service.domain.conditions.where import parse_where
from service.domain.counting.columns import simplify
from service.domain.tenants.lowering import lower
from service.domain.tickets.instant import FIRST_INSTANT, LAST_INSTANT, parse_instant

SETTINGS = TenantSettings(
    "acme",
    "Acme",
    "helpdesk",
    (Status("1", "Open"), Status("2", "Closed", closed=True)),
    (Priority("low", "Low", 1), Priority("high", "High", 2)),
)


def leaf(field: str, op: str, *value: object) -> dict[str, Any]:
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


MINE_OR_MY_TEAMS = {"any": [leaf("assignee", "eq", "@me"), leaf("team", "in", "@my_teams")]}


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (
            {"all": [leaf("state", "eq", "open"), MINE_OR_MY_TEAMS]},
            "state = open AND (assignee = @me OR team in @my_teams)",
        ),
        ({"not": MINE_OR_MY_TEAMS}, "NOT (assignee = @me OR team in @my_teams)"),
        ({"all": [{"not": MINE_OR_MY_TEAMS}]}, "NOT (assignee = @me OR team in @my_teams)"),
        (leaf("requester", "ne", "@me"), "requester != @me"),
        (leaf("team", "nin", ["@my_teams", "x"]), "NOT (team in @my_teams OR team in [x])"),
        (leaf("status", "in", ["1", "open now"]), 'status in ["1", "open now"]'),
        (leaf("fields.n", "eq", 1), "fields.n = 1"),
        (leaf("fields.n", "eq", "1"), 'fields.n = "1"'),
        (leaf("fields.n", "eq", "true"), 'fields.n = "true"'),
        (leaf("fields.n", "eq", True), "fields.n = true"),
        (leaf("priority", "ge", "high"), "priority >= high"),
        (leaf("category", "not_contains", "a b"), 'category not contains "a b"'),
        (leaf("tags", "contains_any", ["vip", "ärger"]), 'tags contains any [vip, "ärger"]'),
        (leaf("closedAt", "is_empty"), "closedAt is empty"),
        (
            leaf("createdAt", "between", ["2026-01-01T00:00:00.50+01:00", "@now"]),
            "createdAt between 2025-12-31T23:00:00.5Z and @now",
        ),
        (leaf("dueAt", "before", "@now-P1DT1H"), "dueAt before @now-PT25H"),
        (leaf("createdAt", "older_than", "P2W"), "createdAt older than P14D"),
        (leaf("dueAt", "within", "this_week"), "dueAt within this_week"),
    ],
)
def test_a_condition_is_printed_in_words(where: dict[str, Any], text: str) -> None:
    assert printed(parse_where(where)) == text


def test_what_the_catalogue_decides_is_printed_as_what_it_became() -> None:
    assert printed(lower(parse_where(leaf("priority", "ge", "high")), SETTINGS)) == "priority in [high]"
    assert printed(simplify(lower(parse_where(leaf("state", "eq", "open")), SETTINGS))) == (
        'NOT (closed by status in ["2"])'
    )
    assert (printed(ALWAYS), printed(NEVER)) == ("every ticket", "no ticket")


@given(st.integers(0, 10**15))
def test_a_printed_duration_reads_back(us: int) -> None:
    assert parse_duration(duration(us)) == us


@given(st.integers(FIRST_INSTANT, LAST_INSTANT))
def test_a_printed_instant_reads_back(us: int) -> None:
    assert parse_instant(instant(us)) == us
