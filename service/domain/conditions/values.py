"""What a field's value is to an operator: empty, an instant, a member of a list. Never converts between types."""

from collections.abc import Callable

from service.domain.conditions.fields import FieldKind
from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Instant

InstantOf = Callable[[object], Instant | None]

Key = str | int | float | tuple[bool]
"""Equal exactly where JSON values are: 1 is 1.0, and neither true nor "1" is 1."""


def is_empty(value: object) -> bool:
    """Missing, `null`, `""` and `[]` are empty; 0, false and `{}` aren't."""
    return value is None or (isinstance(value, str | list | tuple) and not value)


def instant_reader(kind: FieldKind) -> InstantOf:
    """Reads the instant in a value of such a field; `None` where there is none."""
    return instant_in if kind is FieldKind.CUSTOM else _stored


def instant_in(value: object) -> Instant | None:
    """The instant that a JSON value names, and None for everything but an RFC 3339 date-time."""
    if not isinstance(value, str):
        return None
    try:
        return parse_instant(value)
    except ValueError:
        return None


def key(value: object) -> Key | None:
    """A scalar as a member of a set, and None for null, lists and objects."""
    if isinstance(value, bool):
        return (value,)  # Python has True == 1
    return value if isinstance(value, str | int | float) else None


def _stored(value: object) -> Instant | None:
    return value if isinstance(value, int) else None
