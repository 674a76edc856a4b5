"""Translates Zendesk's views (`GET /api/v2/views`) into filters. Never maps ids: the name map does."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from consumers.catalogue.foreign import mapped_field, zendesk_hours
from consumers.catalogue.foreign.name_map import NameMap
from consumers.catalogue.foreign.translation import (
    Found,
    Node,
    NoEquivalent,
    attempted,
    every,
    leaf,
    literal,
    none_of,
    one_of,
    read_export,
    some,
)
from service.domain.json_reading import EXACT

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("", "low", "normal", "high", "urgent")
"""Both in Zendesk's order. The empty priority is below all others."""

_PEOPLE = {"assignee_id": "assignee", "requester_id": "requester"}

_TEXTS = ("description_includes_word", "subject_includes_word", "comment_includes_word")
"""Fields whose `is` and `is_not` search a substring, and `includes` and `not_includes` whole words."""


class ZendeskCondition(msgspec.Struct):
    """One condition of a view. Zendesk omits the operator of some."""

    field: str
    operator: str | None = None
    value: Any = None


class _Conditions(msgspec.Struct):
    all: list[ZendeskCondition] = []
    any: list[ZendeskCondition] = []


class _Restriction(msgspec.Struct):
    type: str
    id: int | None = None
    ids: list[int] | None = None


class _View(msgspec.Struct):
    id: int | str
    title: str
    conditions: _Conditions
    active: bool = True
    restriction: _Restriction | None = None


class _Views(msgspec.Struct):
    views: list[_View]
    next_page: str | None = None


def filters(name: str, text: bytes, names: NameMap, owner: str | None) -> Iterator[Found]:
    """Translates the views of an export; `name` is the file's name for messages. Raises Unusable."""
    compared = {"value": EXACT}
    read = read_export(_Views, name, text, {"views": {"conditions": {"all": compared, "any": compared}}})
    if read.next_page is not None:
        yield Found(f"zendesk {name}", None, notes=["is one of several pages: import the others too"])
    for view in read.views:
        title = f'zendesk view {view.id} "{view.title}"'
        if view.active:
            yield _converted(view, title, names, owner)
        else:
            yield Found(title, None, notes=["inactive, left out"])


def _converted(view: _View, title: str, names: NameMap, owner: str | None) -> Found:
    problems: list[str] = []
    seen = attempted(partial(_visibility, view.restriction, names, owner), "restriction", problems)
    where: dict[str, list[Node]] = {}
    for key, conditions in (("all", view.conditions.all), ("any", view.conditions.any)):
        for index, each in enumerate(conditions):
            nodes = attempted(partial(condition, each, names), f"conditions.{key}[{index}]", problems)
            where.setdefault(key, []).extend(nodes)
    if not where:
        problems.append("conditions: there are none")
    value = {"id": f"zendesk-{view.id}", "name": view.title, "type": "custom", "where": where}
    return Found(title, value | seen[0] if seen else value, problems)


def _visibility(restriction: _Restriction | None, names: NameMap, owner: str | None) -> Node:
    if restriction is None:
        return {}
    if restriction.type == "User" and restriction.id is not None:
        return {"owner": names.user(str(restriction.id))}
    if restriction.type != "Group":
        raise NoEquivalent(f"restricted to {restriction.type}")
    if owner is None:
        raise NoEquivalent("only some groups may see it, so it needs an owner: name one with --owner")
    groups = restriction.ids or ([] if restriction.id is None else [restriction.id])
    return {"owner": owner, "sharedWith": {"teams": [names.team(str(group)) for group in groups]}}


def condition(clause: ZendeskCondition, names: NameMap) -> Node:
    """Translates one condition. Raises NoEquivalent."""
    operator = clause.operator or "is"
    values = clause.value if isinstance(clause.value, list) else [clause.value]
    texts = [_text(value) for value in values]
    if clause.field in names.fields or clause.field not in _OWN:
        return _mapped(clause.field, operator, texts, names)
    return _OWN[clause.field](clause.field, operator, texts, names)


def _status(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    chosen = _chosen(operator, values, STATUSES)
    ids = [id_ for name in chosen for id_ in names.statuses_of(name)]
    return none_of("status", ids) if operator == "is_not" else one_of("status", ids)


def _custom_status(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    ids = [id_ for name in values for id_ in names.statuses_of(name)]
    return _membership("status", operator, ids)


def _priority(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    chosen = _chosen(operator, values, PRIORITIES)
    ids = [id_ for name in chosen if name for id_ in names.priorities_of(name)]
    if operator == "is_not":
        return every(_unless_empty("priority", ids, "" in chosen))
    empty = [leaf("priority", "is_empty")] if "" in chosen else []
    return some([*empty, one_of("priority", ids)]) if ids or not empty else empty[0]


def _unless_empty(field: str, ids: Sequence[str], and_set: bool) -> list[Node]:
    nodes = [leaf(field, "is_not_empty")] if and_set else []
    return [*nodes, none_of(field, ids)] if ids or not nodes else nodes


def _chosen(operator: str, values: Sequence[str], order: Sequence[str]) -> Sequence[str]:
    """Returns the names that the operator selects, or for `is_not` excludes.

    Example: `less_than pending` selects new and open.
    """
    if len(values) != 1 or values[0] not in order:
        raise NoEquivalent(f"value: expected one of {', '.join(name or 'empty' for name in order)}")
    place = order.index(values[0])
    match operator:
        case "is" | "is_not":
            return values
        case "less_than":
            return order[:place]
        case "greater_than":
            return order[place + 1 :]
    raise NoEquivalent(f"operator: {operator} has no equivalent")


def _person(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    return _ids(_PEOPLE[field], operator, values, "current_user", "@me", names.user)


def _group(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    return _ids("team", operator, values, "current_groups", "@my_teams", names.team)


def _ids(
    field: str, operator: str, values: Sequence[str], current: str, word: str, known: Callable[[str], str]
) -> Node:
    if list(values) == [""]:
        if operator not in ("is", "is_not"):
            raise NoEquivalent(f"operator: {operator} has no equivalent")
        return leaf(field, "is_empty" if operator == "is" else "is_not_empty")
    ids = [word if value == current else known(_id(value)) for value in values]
    return _membership(field, operator, ids)


def _membership(field: str, operator: str, ids: Sequence[str]) -> Node:
    if operator in ("is", "includes"):
        return one_of(field, ids)
    if operator in ("is_not", "not_includes"):
        return none_of(field, ids)
    raise NoEquivalent(f"operator: {operator} has no equivalent")


def _id(value: str) -> str:
    """Returns the id. Raises NoEquivalent for a value that isn't digits: a word that names no person or group."""
    if not (value.isascii() and value.isdigit()):
        raise NoEquivalent(f"value: {value or 'empty'} has no equivalent")
    return value


def _tags(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    tags = [tag for value in values for tag in value.replace(",", " ").split()]
    if operator not in ("includes", "not_includes") or not tags:
        raise NoEquivalent(f"operator: {operator} {'has no tags' if not tags else 'has no equivalent'}")
    return leaf("tags", "contains_any" if operator == "includes" else "contains_none", tags)


def _hours(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    return zendesk_hours.condition(field, operator, values, names)


def _mapped(field: str, operator: str, values: Sequence[str], names: NameMap) -> Node:
    if field in zendesk_hours.FIELDS:
        return _hours(field, operator, values, names)
    target = names.field(field)
    if field in _TEXTS and target.values == "text":
        if operator not in ("is", "is_not"):
            raise NoEquivalent(f"operator: {operator} searches whole words")
        return leaf(target.field, "contains" if operator == "is" else "not_contains", values[0])
    return mapped_field.condition(target, operator, values)


def _text(value: object) -> str:
    """Returns a value as text. Zendesk sends some numbers and flags unquoted, and null for an empty value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(literal(value))
    raise NoEquivalent("value: neither text nor a number")


_Translate = Callable[[str, str, Sequence[str], NameMap], Node]

_OWN: dict[str, _Translate] = {
    "status": _status,
    "custom_status_id": _custom_status,
    "priority": _priority,
    "group_id": _group,
    "assignee_id": _person,
    "requester_id": _person,
    "current_tags": _tags,
    **dict.fromkeys(zendesk_hours.FIELDS, _hours),
}
