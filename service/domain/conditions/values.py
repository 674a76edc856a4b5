"""Classifies a field's value for operators: empty, an instant, a key for equality. Never converts between types."""

from collections.abc import Callable

from service.domain.conditions.fields import FieldKind
from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Instant

InstantOf = Callable[[object], Instant | None]

Key = str | int | float | tuple[bool]
"""Keys are equal when the JSON values are: 1 equals 1.0, but neither true nor "1"."""


def is_empty(value: object) -> bool:
    """Whether the value is missing, `null`, `""` or `[]`. The values 0, false and `{}` are not empty."""
    return value is None or (isinstance(value, str | list | tuple) and not value)


def instant_reader(kind: FieldKind) -> InstantOf:
    """Returns the function that reads a value's instant for this kind of field; it returns None for no instant."""
    return instant_in if kind is FieldKind.CUSTOM else _stored


def instant_in(value: object) -> Instant | None:
    """Returns the instant of an RFC 3339 date-time, and None for any other JSON value."""
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def key(value: object) -> Key | None:
    """Returns the hashable key of a scalar, and None for null, lists and objects."""
    if isinstance(value, bool):
        return (value,)  # Python has True == 1
    return value if isinstance(value, str | int | float) else None


def _stored(value: object) -> Instant | None:
    return value if isinstance(value, int) else None
