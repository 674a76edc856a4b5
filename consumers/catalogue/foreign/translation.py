"""Results and building blocks of a translation: errors, found filters, leaves and joins. Knows no other system."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from service.domain.json_reading import Exact, UnpairedSurrogate, read_json

T = TypeVar("T")

Node = dict[str, Any]
"""A node of a `where`, as JSON."""


class NoEquivalent(ValueError):
    """The condition has no equivalent in our filters, or needs a name that the name map lacks."""


class Unusable(ValueError):
    """The file isn't an export of the named system, or not a name map. The message names the file and the place."""


class Found(msgspec.Struct, frozen=True):
    """One filter of the other system: its title for messages, and its translation unless there are problems."""

    title: str
    value: Node | None
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    """Approximations that readers of the counts should know. A note doesn't exclude the filter."""


def read_export(kind: type[T], name: str, text: bytes, exact: Exact) -> T:
    """Decodes an export; `name` is the file's name for messages. For `exact` see `read_json`. Raises Unusable."""
    try:
        return read_json(msgspec.json.Decoder(kind), text, exact)
    except (msgspec.DecodeError, UnicodeDecodeError, UnpairedSurrogate) as error:
        raise Unusable(f"{name}: {error}") from None
    except RecursionError:
        raise Unusable(f"{name}: nested too deeply") from None


def literal(value: object) -> object:
    """Returns the value. Raises NoEquivalent for a text with a special meaning in our conditions, such as `@me`."""
    if isinstance(value, str) and (value in ("@me", "@my_teams") or value.startswith("@now")):
        raise NoEquivalent(f"{value} is not a plain text here: it stands for the viewer or the time")
    return value


def leaf(field: str, op: str, *value: object) -> Node:
    """Builds a leaf, without a value for operators that take none."""
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


def one_of(field: str, values: Sequence[object]) -> Node:
    """Builds a leaf: the field is one of these values."""
    return leaf(field, "eq", values[0]) if len(values) == 1 else leaf(field, "in", list(values))


def none_of(field: str, values: Sequence[object]) -> Node:
    """Builds a leaf: the field is none of these values, or empty."""
    return leaf(field, "ne", values[0]) if len(values) == 1 else leaf(field, "nin", list(values))


def every(nodes: Sequence[Node]) -> Node:
    """Joins nodes by `all`."""
    return nodes[0] if len(nodes) == 1 else {"all": list(nodes)}


def some(nodes: Sequence[Node]) -> Node:
    """Joins nodes by `any`."""
    return nodes[0] if len(nodes) == 1 else {"any": list(nodes)}


def attempted(make: Callable[[], Node], path: str, problems: list[str]) -> list[Node]:
    """Returns the node that `make` builds. On NoEquivalent returns nothing and adds to `problems`."""
    try:
        return [make()]
    except NoEquivalent as error:
        problems.append(f"{path}: {error}")
        return []
