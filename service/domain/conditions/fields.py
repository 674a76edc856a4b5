"""The fields that a condition may test, and their kinds. Only names: never reads a ticket."""

from enum import Enum

CUSTOM_PREFIX = "fields."


class FieldKind(Enum):
    """The kind of a field's values. It decides which operators the field takes."""

    TEXT = "text"
    RANKED = "ranked"
    """Ids with a rank in the catalogue. Order operators compare ranks, all others compare the id as text."""
    INSTANT = "instant"
    FLAG = "flag"
    TAGS = "tags"
    STATE = "state"
    """`open` or `closed`: derived from the status, never empty."""
    CUSTOM = "custom"
    """Any JSON value: each value has its own type."""


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
    """Returns the kind of a field, or None when there is no such field. Any text after `fields.` is a name."""
    if field.startswith(CUSTOM_PREFIX):
        return FieldKind.CUSTOM if len(field) > len(CUSTOM_PREFIX) else None
    return _KINDS.get(field)
