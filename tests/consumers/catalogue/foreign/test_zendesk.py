"""Zendesk's views: each condition as a node of ours, and what has no equivalent."""

import json
from typing import Any

import pytest

from consumers.catalogue.foreign.importing import Imported, Options, imported
from consumers.catalogue.foreign.name_map import NameMap, Target
from consumers.catalogue.foreign.zendesk import filters
from service.domain.conditions.where import parse_where

NAMES = NameMap(
    fields={
        "organization_id": "fields.organization",
        "custom_fields_1": Target("fields.vip", "boolean"),
        "custom_fields_2": Target("fields.seats", "number"),
        "custom_fields_3": Target("fields.products", "list"),
        "subject_includes_word": "fields.subject",
        "OPEN": Target("fields.openedAt", "instant"),
    }
)


def leaf(field: str, op: str, *value: object) -> dict[str, Any]:
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


def view(all_: list[Any] | None = None, any_: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"id": 25, "title": "Mine", "conditions": {"all": all_ or [], "any": any_ or []}, **more}


def given_condition(field: str, operator: str | None, value: object) -> dict[str, object]:
    return {"field": field, "operator": operator, "value": value}


def read(*views: dict[str, Any], names: NameMap = NAMES, owner: str | None = None) -> Imported:
    return imported("zendesk", "views.json", json.dumps({"views": views}).encode(), Options("acme", owner, names))


def where_of(condition: dict[str, object], names: NameMap = NAMES) -> Any:
    """What becomes of one condition, counted today or not."""
    (found,) = filters("views.json", json.dumps({"views": [view([condition])]}).encode(), names, None)
    assert not found.problems
    assert found.value is not None
    parse_where(found.value["where"])
    return found.value["where"]["all"][0]


BEFORE_A_DAY, AFTER_A_DAY = leaf("createdAt", "older_than", "PT24H"), leaf("createdAt", "newer_than", "PT24H")


@pytest.mark.parametrize(
    ("field", "operator", "value", "node"),
    [
        ("status", "is", "open", leaf("status", "eq", "open")),
        ("status", "is_not", "closed", leaf("status", "ne", "closed")),
        ("status", "less_than", "solved", leaf("status", "in", ["new", "open", "pending", "hold"])),
        ("status", "greater_than", "hold", leaf("status", "in", ["solved", "closed"])),
        ("status", "greater_than", "closed", leaf("status", "in", [])),
        ("custom_status_id", "includes", ["7", 8], leaf("status", "in", ["7", "8"])),
        ("priority", "is", "", leaf("priority", "is_empty")),
        ("priority", "is_not", None, leaf("priority", "is_not_empty")),
        ("priority", "is_not", "low", leaf("priority", "ne", "low")),
        ("priority", "less_than", "low", leaf("priority", "is_empty")),
        ("priority", "less_than", "normal", {"any": [leaf("priority", "is_empty"), leaf("priority", "eq", "low")]}),
        ("priority", "greater_than", "normal", leaf("priority", "in", ["high", "urgent"])),
        ("assignee_id", "is", "current_user", leaf("assignee", "eq", "@me")),
        ("assignee_id", "is_not", 296220096, leaf("assignee", "ne", "296220096")),
        ("assignee_id", "is", "", leaf("assignee", "is_empty")),
        ("requester_id", "is_not", "current_user", leaf("requester", "ne", "@me")),
        ("group_id", "is", "current_groups", leaf("team", "eq", "@my_teams")),
        ("group_id", "is_not", "current_groups", leaf("team", "ne", "@my_teams")),
        ("group_id", "is_not", "", leaf("team", "is_not_empty")),
        ("current_tags", "includes", "vip  late", leaf("tags", "contains_any", ["vip", "late"])),
        ("current_tags", "not_includes", "vip", leaf("tags", "contains_none", ["vip"])),
        ("NEW", "greater_than", "24", BEFORE_A_DAY),
        ("NEW", "less_than", 24, AFTER_A_DAY),
        ("NEW", "is", "24", {"all": [BEFORE_A_DAY, leaf("createdAt", "newer_than", "PT25H")]}),
        ("updated_at", "greater_than", "1", leaf("updatedAt", "older_than", "PT1H")),
        (
            "due_date",
            "less_than",
            "1",
            {"all": [leaf("dueAt", "newer_than", "PT1H"), leaf("dueAt", "older_than", "PT0H")]},
        ),
        ("until_due_date", "less_than", "8", leaf("dueAt", "due_within", "PT8H")),
        ("until_due_date", "greater_than", "8", leaf("dueAt", "after", "@now+PT8H")),
        ("until_sla_next_breach_at", "is", "8", leaf("slaDueAt", "between", ["@now+PT8H", "@now+PT9H"])),
        ("OPEN", "greater_than", "2", leaf("fields.openedAt", "older_than", "PT2H")),
        ("organization_id", "is", 77, leaf("fields.organization", "eq", "77")),
        ("organization_id", "is_not", "", leaf("fields.organization", "is_not_empty")),
        ("custom_fields_1", "is", "true", leaf("fields.vip", "is_true")),
        ("custom_fields_1", "is", False, {"not": leaf("fields.vip", "is_true")}),
        ("custom_fields_2", "greater_than_equal", "12", leaf("fields.seats", "ge", 12)),
        ("custom_fields_3", "is_not", "P-1", leaf("fields.products", "contains_none", ["P-1"])),
        ("custom_fields_3", "present", None, leaf("fields.products", "is_not_empty")),
        ("subject_includes_word", "is", "out of order", leaf("fields.subject", "contains", "out of order")),
    ],
)
def test_a_condition_becomes_a_node(field: str, operator: str, value: object, node: dict[str, Any]) -> None:
    assert where_of(given_condition(field, operator, value)) == node


@pytest.mark.parametrize(
    ("field", "operator", "value", "problem"),
    [
        ("status", "is", "mine", "value: expected one of new, open, pending, hold, solved, closed"),
        ("status", "changed", None, "value: expected one of"),
        ("status", "value", "open", "operator: value has no equivalent"),
        ("requester_id", "is_not", "assignee_id", "value: assignee_id has no equivalent"),
        ("assignee_id", "less_than", "7", "operator: less_than has no equivalent"),
        ("current_tags", "is", "vip", "operator: is has no equivalent"),
        ("SOLVED", "less_than", "24", "no field of ours for SOLVED"),
        ("assigned_at", "greater_than", "24", "no field of ours for assigned_at"),
        ("NEW", "greater_than_business_hours", "24", "operator: greater_than_business_hours has no equivalent"),
        ("NEW", "is", "1.5", "value: expected a whole number of hours"),
        ("via_id", "is", "4", 'no field of ours for via_id; name one under "fields" in the --map file'),
        ("type", "is", "task", "no field of ours for type"),
        ("subject_includes_word", "includes", "refund", "operator: includes searches whole words"),
        ("custom_fields_1", "is", "maybe", "'maybe' is neither true nor false"),
        ("custom_fields_2", "is", "many", "'many' is no number"),
        ("custom_fields_3", "is", "@me", "@me is not a plain text here"),
    ],
)
def test_what_has_no_equal_is_told_with_its_path(field: str, operator: str, value: object, problem: str) -> None:
    result = read(view([given_condition("status", "is", "open")], [given_condition(field, operator, value)]))
    assert (result.lines, result.left_out) == ((), 1)
    assert result.messages[0].startswith(f'zendesk view 25 "Mine": conditions.any[0]: {problem}')


def test_every_problem_of_a_view_is_told() -> None:
    result = read(view([given_condition("via_id", "is", "4")], [given_condition("type", "is", "task")]))
    assert [message.split(": ")[1] for message in result.messages] == ["conditions.all[0]", "conditions.any[0]"]


def test_a_view_becomes_a_filter_entry() -> None:
    result = read(view([given_condition("status", "less_than", "solved")], [given_condition("group_id", "is", "")]))
    assert [json.loads(line) for line in result.lines] == [
        {
            "kind": "filter",
            "value": {
                "id": "zendesk-25",
                "tenant": "acme",
                "name": "Mine",
                "type": "custom",
                "where": {
                    "all": [leaf("status", "in", ["new", "open", "pending", "hold"])],
                    "any": [leaf("team", "is_empty")],
                },
            },
        }
    ]
    assert (result.messages, result.left_out) == ((), 0)


OPEN = given_condition("status", "is", "open")


def test_a_restriction_becomes_an_owner_and_whom_it_is_shared_with() -> None:
    names = NameMap(users={"4": "ann"}, teams={"1": "net", "2": "desk"})
    mine = view([OPEN], restriction={"type": "User", "id": 4})
    groups = view([OPEN], restriction={"type": "Group", "id": 1, "ids": [1, 2]})
    values = [json.loads(line)["value"] for line in read(mine, groups, names=names, owner="zoe").lines]
    assert [(value["owner"], value.get("sharedWith")) for value in values] == [
        ("ann", None),
        ("zoe", {"teams": ["net", "desk"]}),
    ]
    assert "restriction: only some groups may see it" in read(groups, names=names).messages[0]


def test_names_are_mapped_and_one_that_is_missing_is_told() -> None:
    names = NameMap(statuses={"open": ["3745", "3746"], "hold": []}, users={"4": "ann"})
    assert where_of(OPEN, names) == leaf("status", "in", ["3745", "3746"])
    assert where_of(given_condition("status", "is_not", "hold"), names) == leaf("status", "nin", [])
    missing = read(view([given_condition("assignee_id", "is", "5")]), names=names)
    assert missing.messages == (
        'zendesk view 25 "Mine": conditions.all[0]: \'5\' isn\'t under "users" in the --map file',
    )


def test_inactive_views_are_left_out_without_being_a_failure() -> None:
    result = read(view([OPEN], active=False))
    assert (result.lines, result.left_out) == ((), 0)
    assert result.messages == ('zendesk view 25 "Mine": note: inactive, left out',)


def test_a_view_that_is_larger_than_an_entry_may_be_is_left_out() -> None:
    result = read(view([OPEN] * 65))
    assert result.messages == ('zendesk view 25 "Mine": where.all[64]: more than 64 leaves',)
    assert result.left_out == 1
