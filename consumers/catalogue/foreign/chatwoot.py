"""Translates Chatwoot's `custom_filters` of conversations into filters. Never maps ids: the name map does.

Chatwoot joins conditions by AND and OR without brackets, and AND binds tighter, as in SQL: `a OR b AND c` is
`a OR (b AND c)`. An empty field fails `equal_to` and `not_equal_to` alike, but a custom attribute or label that is
empty passes the negative operators.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from consumers.catalogue.foreign import chatwoot_dates, mapped_field
from consumers.catalogue.foreign.name_map import NameMap, Target
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

CONVERSATIONS = ("conversation", 0)
"""Values of `filter_type` for filters of conversations. Contacts and reports have filters too."""

ELSEWHERE = ("inbox_id", "display_id", "campaign_id", "browser_language", "conversation_language", "country_code",
             "referer", "mail_subject")  # fmt: skip
"""Chatwoot's built-in attributes that our tickets lack. Any other unknown name is a custom attribute."""

_VERBS = {
    "equal_to": "is",
    "not_equal_to": "is_not",
    "is_present": "present",
    "is_not_present": "not_present",
    "is_greater_than": "greater_than",
    "is_less_than": "less_than",
}

_CASE = "letter case matters here, but not in Chatwoot"


class Clause(msgspec.Struct):
    """One condition, with `query_operator` (and, or) joining it to the next."""

    attribute_key: str
    filter_operator: str
    values: Any = None
    query_operator: str | None = None
    custom_attribute_type: str | None = None
    timezone: str = "UTC"


class _Query(msgspec.Struct):
    payload: list[Clause]


class _CustomFilter(msgspec.Struct):
    id: int | str
    name: str
    query: _Query
    filter_type: str | int = "conversation"


def filters(name: str, text: bytes, names: NameMap, owner: str | None) -> Iterator[Found]:
    """Translates the filters of an export; `name` is the file's name for messages. Raises Unusable."""
    read = read_export(list[_CustomFilter], name, text, {"query": {"payload": {"values": EXACT}}})
    for saved in read:
        yield _converted(saved, names, owner)


def _converted(saved: _CustomFilter, names: NameMap, owner: str | None) -> Found:
    title = f'chatwoot filter {saved.id} "{saved.name}"'
    if saved.filter_type not in CONVERSATIONS:
        return Found(title, None, [f"filter_type: {saved.filter_type} has no equivalent"])
    problems: list[str] = []
    notes: list[str] = []
    groups: list[list[Node]] = [[]]
    for index, clause in enumerate(saved.query.payload):
        path = f"query.payload[{index}]"
        groups[-1] += attempted(partial(condition, clause, names, notes), path, problems)
        joined = (clause.query_operator or "and").lower()
        if joined == "or" and index + 1 < len(saved.query.payload):
            groups.append([])
        elif joined not in ("and", "or"):
            problems.append(f"{path}.query_operator: {joined} is neither and nor or")
    if not saved.query.payload:
        problems.append("query.payload: it is empty")
    value: Node = {"id": f"chatwoot-{saved.id}", "name": saved.name, "type": "custom"}
    if not problems:
        value |= {"where": some([every(group) for group in groups])}
    return Found(title, value if owner is None else value | {"owner": owner}, problems, list(dict.fromkeys(notes)))


def condition(clause: Clause, names: NameMap, notes: list[str]) -> Node:
    """Translates one clause. Adds to `notes` when the result is only approximate. Raises NoEquivalent."""
    key, operator = clause.attribute_key, clause.filter_operator
    if key in names.fields or key in ELSEWHERE:
        return _stored(clause, names.field(key), notes)
    match key:
        case "status":
            return _status(operator, _texts(clause), names)
        case "priority":
            return _set_member("priority", operator, [i for text in _texts(clause) for i in names.priorities_of(text)])
        case "assignee_id":
            return _set_member("assignee", operator, [names.user(text) for text in _texts(clause)])
        case "team_id":
            return _set_member("team", operator, [names.team(text) for text in _texts(clause)])
        case "labels":
            return mapped_field.condition(Target("tags"), _verb(operator), _texts(clause))
        case "created_at" | "last_activity_at":
            field = "createdAt" if key == "created_at" else "updatedAt"
            return chatwoot_dates.condition(field, operator, _texts(clause), clause.timezone, notes)
    if clause.custom_attribute_type == "contact_attribute":
        raise NoEquivalent(f'{key} belongs to the contact; name a field of ours under "fields" in the --map file')
    return _custom(clause, names.field(key, f"fields.{key}"), notes)


def _status(operator: str, values: Sequence[str], names: NameMap) -> Node:
    if "all" in values:
        always = leaf("state", "is_not_empty")
        return always if operator == "equal_to" else {"not": always}
    ids = [id_ for name in values for id_ in names.statuses_of(name)]
    return _member("status", operator, ids)


def _member(field: str, operator: str, ids: Sequence[object]) -> Node:
    if operator == "equal_to":
        return one_of(field, ids)
    if operator == "not_equal_to":
        return none_of(field, ids)
    raise NoEquivalent(f"filter_operator: {operator} has no equivalent")


def _set_member(field: str, operator: str, ids: Sequence[object]) -> Node:
    """Translates a condition on a built-in field: an empty field fails the negative operators."""
    if operator in ("is_present", "is_not_present"):
        return leaf(field, "is_not_empty" if operator == "is_present" else "is_empty")
    node = _member(field, operator, ids)
    return node if operator == "equal_to" else {"all": [leaf(field, "is_not_empty"), node]}


def _stored(clause: Clause, target: Target, notes: list[str]) -> Node:
    """Translates a condition on a built-in attribute that the map assigns to a field."""
    # With an explicit type, so that numeric ids stay texts.
    node = _custom(clause, Target(target.field, target.values), notes)
    empty = clause.filter_operator == "not_equal_to" and target.values != "list"
    return {"all": [leaf(target.field, "is_not_empty"), node]} if empty else node


def _custom(clause: Clause, target: Target, notes: list[str]) -> Node:
    operator = clause.filter_operator
    if operator in ("contains", "does_not_contain"):
        return _pieces(target, operator, _texts(clause))
    if target.values == "instant":
        return chatwoot_dates.condition(target.field, operator, _texts(clause), clause.timezone, notes)
    values = _values(clause)
    if target.values == "text" and values and isinstance(values[0], str):
        values = values[:1]  # Chatwoot compares only the first of several texts
    if operator in ("equal_to", "not_equal_to") and target.values == "text" and any(isinstance(v, str) for v in values):
        notes.append(f"{clause.attribute_key}: {_CASE}")
    target = _typed(target, values)
    if target.values == "boolean" and operator in ("equal_to", "not_equal_to"):
        return _box(target.field, operator, _texts(clause))
    return mapped_field.condition(target, _verb(operator), values)


def _box(field: str, operator: str, values: Sequence[str]) -> Node:
    """Translates a check box: an empty one is neither checked nor unchecked."""
    if len(values) != 1 or values[0] not in ("true", "false"):
        raise NoEquivalent("values: expected true or false")
    node = leaf(field, "is_true" if values[0] == "true" else "is_false")
    return node if operator == "equal_to" else {"not": node}


def _typed(target: Target, values: Sequence[object]) -> Target:
    """Returns the target with a type. For a custom field without one, the JSON type of the values decides."""
    if target.type is not None or not target.field.startswith("fields.") or not values:
        return target
    if all(isinstance(value, bool) for value in values):
        return Target(target.field, "boolean")
    return Target(target.field, "number") if all(_is_number(value) for value in values) else target


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _pieces(target: Target, operator: str, values: Sequence[str]) -> Node:
    """Translates `contains` (any of the pieces) and `does_not_contain` (not empty, and none of the pieces)."""
    if target.values != "text":
        raise NoEquivalent(f"filter_operator: {operator} can't be asked of {target.values}")
    pieces = [value.strip() for value in values]
    if not pieces or any(set(piece) & set("%_\\") for piece in pieces):
        raise NoEquivalent("values: Chatwoot reads %, _ and \\ as wildcards")
    if operator == "contains":
        return some([leaf(target.field, "contains", piece) for piece in pieces])
    without = [leaf(target.field, "not_contains", piece) for piece in pieces]
    return {"all": [leaf(target.field, "is_not_empty"), *without]}


def _verb(operator: str) -> str:
    if operator not in _VERBS:
        raise NoEquivalent(f"filter_operator: {operator} has no equivalent")
    return _VERBS[operator]


def _texts(clause: Clause) -> list[str]:
    return [("true" if value else "false") if isinstance(value, bool) else str(value) for value in _values(clause)]


def _values(clause: Clause) -> list[object]:
    """Returns the values as scalars: the dashboard also saves `{"id", "name"}`, and single values without a list."""
    if clause.filter_operator in ("is_present", "is_not_present"):
        return []
    saved = clause.values if isinstance(clause.values, list) else [clause.values]
    values = [value["id"] if isinstance(value, dict) and "id" in value else value for value in saved]
    if not values or any(value is None or isinstance(value, dict | list) for value in values):
        raise NoEquivalent("values: missing, or neither text, number nor flag")
    return [literal(value) for value in values]
