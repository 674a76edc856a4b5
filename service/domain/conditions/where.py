"""Compiles the JSON `where` of a filter into a condition, or reports the wrong node. Pure: never looks an id up."""

from typing import Any

from service.domain.conditions.condition import AllOf, AnyOf, Asks, Condition, ConditionError, Leaf, Not, Question
from service.domain.conditions.fields import kind_of
from service.domain.conditions.leaf_values import json_type, leaf_value, quoted, refuse_viewer
from service.domain.conditions.operators import EVERY_OPERATOR, MEMBERSHIP, OPERATORS, OPPOSITES, WITHOUT_VALUE
from service.domain.json_reading import EXACT, Exact

MAX_LEAVES = 64
MAX_LEVELS = 8
"""The root is level 1, and leaves count as a level."""

EXACT_WHERE: dict[str, Exact] = {"value": EXACT}
"""The values in a `where` must be exact; all other texts are names of the language."""
EXACT_WHERE |= {"all": EXACT_WHERE, "any": EXACT_WHERE, "not": EXACT_WHERE}

_LEAF_KEYS = frozenset(("field", "op", "value"))
_TREE_KEYS = frozenset(("all", "any", "not"))


def parse_where(node: object, path: str = "where") -> Condition:
    """Returns the condition of a decoded JSON `where`.

    Raises ConditionError with the path of the first node that doesn't compile (`where.all[2].op`).
    """
    return _Compiler().node(node, path, level=1)


class _Compiler:
    """Compiles one `where` and counts its leaves."""

    def __init__(self) -> None:
        self._leaves = 0

    def node(self, node: object, path: str, level: int) -> Condition:
        if level > MAX_LEVELS:
            raise ConditionError(path, f"deeper than {MAX_LEVELS} levels")
        if not isinstance(node, dict):
            raise ConditionError(path, f"expected an object, got {json_type(node)}")
        _check_keys(node, path)
        if "not" in node:
            return Not(self.node(node["not"], f"{path}.not", level + 1))
        if "all" in node or "any" in node:
            return self._lists(node, path, level)
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise ConditionError(path, f"more than {MAX_LEAVES} leaves")
        return _leaf(node, path)

    def _lists(self, node: dict[Any, Any], path: str, level: int) -> Condition:
        every = self._children(node, "all", path, level)
        some = self._children(node, "any", path, level)
        if every and some:
            return AllOf((*every, AnyOf(some)))
        if not every and not some:
            raise ConditionError(path, "only empty lists")
        return AllOf(every) if every else AnyOf(some)

    def _children(self, node: dict[Any, Any], key: str, path: str, level: int) -> tuple[Condition, ...]:
        nodes = node.get(key, [])
        if not isinstance(nodes, list):
            raise ConditionError(f"{path}.{key}", f"expected a list, got {json_type(nodes)}")
        return tuple(self.node(child, f"{path}.{key}[{index}]", level + 1) for index, child in enumerate(nodes))


def _check_keys(node: dict[Any, Any], path: str) -> None:
    """Raises ConditionError unless the node is a leaf, a `not`, or an `all`, an `any` or both."""
    for key in node:
        if key not in _LEAF_KEYS and key not in _TREE_KEYS:
            raise ConditionError(path, f"unknown key {quoted(str(key))}")
    if not node:
        raise ConditionError(path, "expected all, any, not, or a field with its op")
    trees = node.keys() & _TREE_KEYS
    if trees and (len(trees) < len(node) or ("not" in trees and len(trees) > 1)):
        raise ConditionError(path, f"{' and '.join(sorted(map(str, node)))} can't be combined")


def _leaf(node: dict[Any, Any], path: str) -> Condition:
    field, op = _field_and_op(node, path)
    if op in WITHOUT_VALUE:
        refuse_viewer(node.get("value"), f"{path}.value")
        return Leaf(field, op)
    if "value" not in node:
        raise ConditionError(f"{path}.value", "missing")
    value = leaf_value(field, op, node["value"], f"{path}.value")
    if isinstance(value, Question):
        return Not(Asks(value)) if op in OPPOSITES else Asks(value)
    if op in MEMBERSHIP and any(isinstance(member, Question) for member in value):
        return _with_questions(field, op, value)
    return Leaf(field, op, value)


def _field_and_op(node: dict[Any, Any], path: str) -> tuple[str, str]:
    field = _name(node, "field", path)
    kind = kind_of(field)
    if kind is None:
        raise ConditionError(f"{path}.field", f"unknown field {quoted(field)}")
    op = _name(node, "op", path)
    if op not in EVERY_OPERATOR:
        raise ConditionError(f"{path}.op", f"unknown operator {quoted(op)}")
    if op not in OPERATORS[kind]:
        raise ConditionError(f"{path}.op", f"{op} doesn't apply to {field}")
    return field, op


def _name(node: dict[Any, Any], key: str, path: str) -> str:
    if key not in node:
        raise ConditionError(f"{path}.{key}", "missing")
    name = node[key]
    if not isinstance(name, str):
        raise ConditionError(f"{path}.{key}", f"expected a string, got {json_type(name)}")
    return name


def _with_questions(field: str, op: str, members: tuple[Any, ...]) -> Condition:
    """Compiles `in` or `nin` with `@me` or `@my_teams` among the members."""
    questions = tuple(Asks(question) for question in dict.fromkeys(m for m in members if isinstance(m, Question)))
    plain = tuple(member for member in members if not isinstance(member, Question))
    choices: tuple[Condition, ...] = (*questions, Leaf(field, "in", plain)) if plain else questions
    either = choices[0] if len(choices) == 1 else AnyOf(choices)
    return Not(either) if op in OPPOSITES else either
