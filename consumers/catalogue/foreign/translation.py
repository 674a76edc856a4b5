"""What translating another system's filter comes to, and the leaves it is made of. Knows no other system."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from service.domain.json_reading import Exact, UnpairedSurrogate, read_json

T = TypeVar("T")

Node = dict[str, Any]
"""A node of a `where`, as JSON."""


class NoEquivalent(ValueError):
    """This condition can't be said in our language, or not before the map says what its names are here."""


class Unusable(ValueError):
    """This file isn't what it was said to be. The message names it, and says where."""


class Found(msgspec.Struct, frozen=True):
    """One filter of the other system: what messages call it, and the filter it becomes unless there are problems."""

    title: str
    value: Node | None
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()
    """What a reader of the counts should know: it doesn't keep the filter out."""


def read_export(kind: type[T], name: str, text: bytes, exact: Exact) -> T:
    """The other system's JSON in a file of that name; see `read_json` for `exact`. Raises Unusable."""
    try:
        return read_json(msgspec.json.Decoder(kind), text, exact)
    except (msgspec.DecodeError, UnicodeDecodeError, UnpairedSurrogate) as error:
        raise Unusable(f"{name}: {error}") from None
    except RecursionError:
        raise Unusable(f"{name}: nested too deeply") from None


def literal(value: object) -> object:
    """The value, which is only text there. Raises NoEquivalent where the same text means more here."""
    if isinstance(value, str) and (value in ("@me", "@my_teams") or value.startswith("@now")):
        raise NoEquivalent(f"{value} is no text here: it means whoever asks, or when")
    return value


def leaf(field: str, op: str, *value: object) -> Node:
    """A leaf, with a value unless its operator has none."""
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


def one_of(field: str, values: Sequence[object]) -> Node:
    """The field is one of these."""
    return leaf(field, "eq", values[0]) if len(values) == 1 else leaf(field, "in", list(values))


def none_of(field: str, values: Sequence[object]) -> Node:
    """The field is none of these, or empty."""
    return leaf(field, "ne", values[0]) if len(values) == 1 else leaf(field, "nin", list(values))


def every(nodes: Sequence[Node]) -> Node:
    """All of them hold."""
    return nodes[0] if len(nodes) == 1 else {"all": list(nodes)}


def some(nodes: Sequence[Node]) -> Node:
    """One of them holds."""
    return nodes[0] if len(nodes) == 1 else {"any": list(nodes)}


def attempted(make: Callable[[], Node], path: str, problems: list[str]) -> list[Node]:
    """What it makes, or nothing and one more problem."""
    try:
        return [make()]
    except NoEquivalent as error:
        problems.append(f"{path}: {error}")
        return []
