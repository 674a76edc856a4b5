"""The fields a condition may ask about, by kind. Only names: never reads a ticket."""

from enum import Enum

CUSTOM_PREFIX = "fields."


class FieldKind(Enum):
    """What sort of values a field has, which decides the operators it takes."""

    TEXT = "text"
    RANKED = "ranked"
    """Ids that the catalogue puts in an order; text to all other operators."""
    INSTANT = "instant"
    FLAG = "flag"
    TAGS = "tags"
    STATE = "state"
    """`open` or `closed`: derived, never empty."""
    CUSTOM = "custom"
    """Any JSON value: its kind is decided value by value."""


_KINDS = {
    "status": FieldKind.RANKED,
    "priority": FieldKind.RANKED,
    "category": FieldKind.TEXT,
    "team": FieldKind.TEXT,
    "assignee": FieldKind.TEXT,
    "requester": FieldKind.TEXT,
    "createdAt": FieldKind.INSTANT,
    "updatedAt": FieldKind.INSTANT,
    "dueAt": FieldKind.INSTANT,
    "slaDueAt": FieldKind.INSTANT,
    "closedAt": FieldKind.INSTANT,
    "slaBreached": FieldKind.FLAG,
    "tags": FieldKind.TAGS,
    "state": FieldKind.STATE,
}


def kind_of(field: str) -> FieldKind | None:
    """The kind of a field, and None when there is no such field. What follows `fields.` is a name as it stands."""
    if field.startswith(CUSTOM_PREFIX):
        return FieldKind.CUSTOM if len(field) > len(CUSTOM_PREFIX) else None
    return _KINDS.get(field)
