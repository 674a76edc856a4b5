"""The paths of errors in a `where`. Any JSON either compiles or raises one."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conditions.condition import Condition, ConditionError
from service.domain.conditions.operators import EVERY_OPERATOR
from service.domain.conditions.where import parse_where

NOON = "2026-11-21T12:00:00Z"
FIELDS = ("status", "priority", "team", "assignee", "requester", "dueAt", "slaBreached", "tags", "state", "fields.a")


def leaf(field: str, op: str, *value: object) -> dict[str, object]:
    return {"field": field, "op": op, "value": value[0]} if value else {"field": field, "op": op}


def problem(node: object) -> str:
    with pytest.raises(ConditionError) as caught:
        parse_where(node)
    assert str(caught.value) == f"{caught.value.path}: {caught.value.problem}"
    return str(caught.value)


STATUS = leaf("status", "eq", "1")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (None, "where: expected an object, got null"),
        ([STATUS], "where: expected an object, got list"),
        ({}, "where: expected all, any, not, or a field with its op"),
        ({"all": []}, "where: only empty lists"),
        ({"all": [], "any": []}, "where: only empty lists"),
        ({"all": [STATUS, {"any": []}]}, "where.all[1]: only empty lists"),
        ({"all": STATUS}, "where.all: expected a list, got object"),
        ({"all": [STATUS], "any": None}, "where.any: expected a list, got null"),
        ({"all": [STATUS], "not": STATUS}, "where: all and not can't be combined"),
        ({"any": [STATUS], **STATUS}, "where: any and field and op and value can't be combined"),
        ({"not": [STATUS]}, "where.not: expected an object, got list"),
        ({"all": [STATUS, STATUS | {"Value": 1}]}, "where.all[1]: unknown key 'Value'"),
        ({"none": [STATUS]}, "where: unknown key 'none'"),
        ({"op": "eq", "value": "1"}, "where.field: missing"),
        ({"field": "status"}, "where.op: missing"),
        ({"value": 1}, "where.field: missing"),
        ({"all": [STATUS, STATUS, leaf("status", "eq")]}, "where.all[2].value: missing"),
        (leaf("createdat", "is_empty"), "where.field: unknown field 'createdat'"),
        (leaf("fields.", "is_empty"), "where.field: unknown field 'fields.'"),
        (leaf("status", "equals", "1"), "where.op: unknown operator 'equals'"),
        ({"field": 5, "op": "eq", "value": 1}, "where.field: expected a string, got number"),
        ({"field": "status", "op": ["eq"], "value": 1}, "where.op: expected a string, got list"),
        ({"not": leaf("status", "in", ["1", "2", "3", 4])}, "where.not.value[3]: expected a string, got number"),
        (leaf("status", "in", "1"), "where.value: expected a list, got string"),
        (leaf("status", "in", None), "where.value: expected a list, got null"),
        (leaf("status", "eq", ["1"]), "where.value: expected a string, got list"),
        (leaf("assignee", "eq", None), "where.value: expected a string, got null; use is_empty for empty values"),
        (leaf("status", "between", ["1"]), "where.value: expected a list of two ends"),
        (leaf("slaBreached", "eq", 1), "where.value: expected a boolean, got number"),
        (leaf("slaBreached", "eq", "true"), "where.value: expected a boolean, got string"),
        (leaf("state", "eq", True), "where.value: expected a string, got boolean"),
        (leaf("state", "in", ["open", 1]), "where.value[1]: expected a string, got number"),
        (leaf("tags", "contains_any", ["a", 1]), "where.value[1]: expected a string, got number"),
        (leaf("tags", "contains_any", "a"), "where.value: expected a list, got string"),
        (leaf("fields.a", "contains", 5), "where.value: expected a string, got number"),
        (leaf("fields.a", "eq", float("nan")), "where.value: not a number of JSON"),
        (leaf("fields.a", "in", [{}]), "where.value[0]: expected a string, a number or a boolean, got object"),
        (leaf("dueAt", "within", "next_week"), "where.value: expected one of today, yesterday"),
        (leaf("dueAt", "within", {}), "where.value: expected one of today, yesterday"),
        (leaf("dueAt", "older_than", 3600), "where.value: expected a string, got number"),
        (leaf("dueAt", "older_than", "P1M"), "where.value: not an ISO 8601 duration such as PT24H or P1D, years and"),
        (leaf("dueAt", "older_than", "-P1D"), "where.value: not an ISO 8601 duration"),
        (leaf("dueAt", "before", "2026-11-21T12:00:00"), "where.value: not an RFC 3339 date-time"),
        (leaf("dueAt", "before", "@now-1D"), "where.value: not an ISO 8601 duration"),
        (leaf("dueAt", "before", "@now -P1D"), "where.value: not an RFC 3339 date-time"),
        (leaf("fields.a", "eq", "@now-P1Y"), "where.value: not an ISO 8601 duration"),
        (leaf("dueAt", "between", [NOON, "never"]), "where.value[1]: not an RFC 3339 date-time"),
    ],
)
def test_an_error_points_at_its_node(node: object, message: str) -> None:
    assert problem(node).startswith(message)


def nested(levels: int) -> Any:
    node: Any = STATUS
    for _ in range(levels - 1):
        node = {"not": node}
    return node


def test_limits_are_reached_and_not_passed() -> None:
    parse_where({"all": [STATUS] * 64})
    assert problem({"all": [STATUS] * 65}) == "where.all[64]: more than 64 leaves"
    assert problem({"all": [{"any": [STATUS] * 40}] * 2}) == "where.all[1].any[24]: more than 64 leaves"
    parse_where(nested(8))
    assert problem(nested(9)) == f"where{'.not' * 8}: deeper than 8 levels"
    assert problem(nested(100_000)).endswith("deeper than 8 levels")
    parse_where(leaf("team", "in", ["x"] * 200))
    assert problem(leaf("team", "in", ["x"] * 201)) == "where.value: more than 200 values"
    assert problem(leaf("tags", "contains_all", ["x"] * 1_000_000)) == "where.value: more than 200 values"


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(
    ["@me", "@my_teams", "@now", "@now-P1D", NOON, "P1D", "today", "open", "x"]
)  # fmt: skip
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=1), SCALARS, max_size=1)
LEAVES = st.fixed_dictionaries(
    {"field": st.sampled_from(FIELDS), "op": st.sampled_from(sorted(EVERY_OPERATOR))}, optional={"value": VALUES}
)
KEYS = st.sampled_from(["all", "any", "not", "field", "op", "value", "x"])
NODES = st.recursive(
    LEAVES | VALUES,
    lambda nodes: (
        st.dictionaries(KEYS, nodes | st.lists(nodes, max_size=3), max_size=3)
        | st.fixed_dictionaries({"all": st.lists(nodes, max_size=3)}, optional={"any": st.lists(nodes, max_size=3)})
        | st.fixed_dictionaries({"not": nodes})
    ),
    max_leaves=12,
)


def compiled(node: object) -> Condition | ConditionError:
    try:
        return parse_where(node, "preview.where")
    except ConditionError as error:
        return error


@given(NODES)
def test_any_json_compiles_or_says_where_not_and_what_compiles_can_be_stored(node: object) -> None:
    condition = compiled(node)
    if isinstance(condition, ConditionError):
        assert condition.path.startswith("preview.where")
        assert "\n" not in str(condition)
        return
    stored = msgspec.msgpack.encode(condition)
    again = msgspec.msgpack.decode(stored, type=Condition)
    assert again == condition
    assert msgspec.msgpack.encode(again) == stored
    assert parse_where(json.loads(json.dumps(node)), "preview.where") == condition
