"""Checks whether a condition compiles, or names the wrong node. Never evaluates, never looks an id up."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.oracle.instants import parse_duration, parse_moment
from tests.oracle.published.records import HALF, ID_FIELDS, INSTANT_FIELDS

MAX_LEAVES, MAX_LEVELS, MAX_VALUES = 64, 8, 200

EQUAL = frozenset({"eq", "ne", "in", "nin"})
ORDER = frozenset({"lt", "le", "gt", "ge", "between"})
EMPTY = frozenset({"is_empty", "is_not_empty"})
TEXT = frozenset({"contains", "not_contains", "starts_with", "ends_with"})
LISTS = frozenset({"contains_any", "contains_all", "contains_none"})
BOOLEAN = frozenset({"is_true", "is_false"})
SPANS = frozenset({"older_than", "newer_than", "due_within"})
INSTANT = frozenset({"before", "after", "within"}) | SPANS
VALUELESS = EMPTY | BOOLEAN
WORDS = ("today", "yesterday", "tomorrow", "this_week", "this_month")

OPERATORS: dict[str, frozenset[str]] = {
    **dict.fromkeys((*ID_FIELDS, "state"), EQUAL | ORDER | EMPTY | TEXT),
    **dict.fromkeys(INSTANT_FIELDS, EQUAL | ORDER | EMPTY | INSTANT),
    "slaBreached": EQUAL | EMPTY | BOOLEAN,
    "tags": LISTS | EMPTY,
}
CUSTOM_FIELD = EQUAL | ORDER | EMPTY | TEXT | LISTS | BOOLEAN | INSTANT
VIEWER_WORDS = {"@me": ("assignee", "requester"), "@my_teams": ("team",)}


class DoesNotCompile(Exception):
    """A condition is refused. The message begins with the path of the wrong node."""


def check(where: Any) -> None:
    """Raises DoesNotCompile for a condition outside the language or its limits."""
    leaves = sum(1 for _ in leaves_of(where, "where", 1))
    if leaves > MAX_LEAVES:
        raise DoesNotCompile(f"where: {leaves} leaves are more than {MAX_LEAVES}")


def leaves_of(node: Any, path: str, level: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(node, dict):
        raise DoesNotCompile(f"{path}: not an object")
    if level > MAX_LEVELS:
        raise DoesNotCompile(f"{path}: deeper than {MAX_LEVELS} levels")
    if node.keys() == {"not"}:
        yield from leaves_of(node["not"], f"{path}.not", level + 1)
    elif node.keys() and node.keys() <= {"all", "any"}:
        for name, children in node.items():
            if not isinstance(children, list):
                raise DoesNotCompile(f"{path}.{name}: not a list")
            for index, child in enumerate(children):
                yield from leaves_of(child, f"{path}.{name}[{index}]", level + 1)
        if not any(node.values()):
            raise DoesNotCompile(f"{path}: only empty lists")
    else:
        check_leaf(node, path)
        yield node


def check_leaf(node: Mapping[str, Any], path: str) -> None:
    if not {"field", "op"} <= node.keys() <= {"field", "op", "value"}:
        raise DoesNotCompile(f"{path}: neither a leaf nor a tree, or an unknown key")
    field, op = node["field"], node["op"]
    if not isinstance(field, str) or (field not in OPERATORS and not is_custom(field)):
        raise DoesNotCompile(f"{path}.field: unknown")
    if not isinstance(op, str) or op not in OPERATORS.get(field, CUSTOM_FIELD):
        raise DoesNotCompile(f"{path}.op: not an operator of {field}")
    if op in VALUELESS:
        return
    if "value" not in node:
        raise DoesNotCompile(f"{path}.value: missing")
    check_value(field, op, node["value"], f"{path}.value")


def check_value(field: str, op: str, value: Any, path: str) -> None:
    if op in LISTS or op == "between" or (op in ("in", "nin") and value not in VIEWER_WORDS_LIST):
        if not isinstance(value, list) or len(value) > MAX_VALUES:
            raise DoesNotCompile(f"{path}: not a list of up to {MAX_VALUES} values")
        if op == "between" and len(value) != 2:
            raise DoesNotCompile(f"{path}: not two ends")
    members = value if isinstance(value, list) else [value]
    if any(isinstance(member, str) and HALF.search(member) for member in members):
        raise DoesNotCompile(f"{path}: half a surrogate pair")
    for word in (member for member in members if member in VIEWER_WORDS_LIST):
        if op not in EQUAL or field not in VIEWER_WORDS[word]:
            raise DoesNotCompile(f"{path}: {word} can't stand here")
    try:
        check_time(field, op, value)
    except (AttributeError, TypeError, ValueError) as error:
        raise DoesNotCompile(f"{path}: {error}") from error


VIEWER_WORDS_LIST = list(VIEWER_WORDS)  # A list, because `in` must accept unhashable values.


def check_time(field: str, op: str, value: Any) -> None:
    """Raises the parser's error unless the value has the instant, duration or calendar word that the operator needs."""
    if op in SPANS:
        parse_duration(value)
    elif op == "within":
        if value not in WORDS:
            raise ValueError("not a calendar word")
    elif op in ("before", "after"):
        parse_moment(value, 0)
    elif field in INSTANT_FIELDS:
        for member in value if isinstance(value, list) else [value]:
            parse_moment(member, 0)


def is_custom(field: str) -> bool:
    return field.startswith("fields.") and field != "fields."
