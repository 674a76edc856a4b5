"""Decodes the `data` of an event, a whole ticket or a merge patch. Validates all members; never sees the old ticket."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from consumers.decoding.ids import check_id
from consumers.decoding.json_document import read_document
from service.domain.json_reading import EXACT, json_number
from service.domain.tickets.event import Patch, PoisonEvent
from service.domain.tickets.event_shapes import PatchData, TicketData
from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Instant, Ticket

_ANY_INSTANT = "1970-01-01T00:00:00Z"

_MEMBERS = {field.name: field for field in msgspec.structs.fields(TicketData)}

EXACT_DATA = {field.encode_name: EXACT for name, field in _MEMBERS.items() if name not in ("tags", "fields")}
"""Members that are read exactly: an id or instant with an unpaired surrogate is refused, not repaired."""

_TICKET_DATA = msgspec.json.Decoder(TicketData)
_PATCH_DATA = msgspec.json.Decoder(PatchData)
_STORED_NUMBERS = msgspec.msgpack.Encoder()


def read_ticket(document: bytes, closed_by_event: bool) -> Ticket:
    """Decodes a whole ticket from a JSON document. Raises PoisonEvent."""
    return whole_ticket(read_document(_TICKET_DATA, document, "data", EXACT_DATA), closed_by_event)


def whole_ticket(data: TicketData, closed_by_event: bool) -> Ticket:
    """Returns the ticket: `""` becomes None, null tags and fields become empty. Raises PoisonEvent."""
    if not data.status:
        raise PoisonEvent("data.status: missing")
    if not data.created_at:
        raise PoisonEvent("data.createdAt: missing")
    # One check of all ids together costs a third of single checks, and control characters are rare.
    if not f"{data.status}{data.priority}{data.category}{data.team}{data.assignee}{data.requester}".isprintable():
        _check_ids(data)
    return Ticket(
        data.status,
        _instant(data.created_at, "data.createdAt"),
        data.priority or None,
        data.category or None,
        data.team or None,
        data.assignee or None,
        data.requester or None,
        _instant(data.updated_at, "data.updatedAt") if data.updated_at else None,
        _instant(data.due_at, "data.dueAt") if data.due_at else None,
        _instant(data.sla_due_at, "data.slaDueAt") if data.sla_due_at else None,
        _instant(data.closed_at, "data.closedAt") if data.closed_at else None,
        data.sla_breached or False,
        data.tags or (),
        _storable_fields(data.fields) if data.fields else {},
        closed_by_event,
    )


def check_unread(data: TicketData | bytes) -> None:
    """Validates the unused data of a delete event: it may be absent, or lack members of a whole ticket.

    Raises PoisonEvent: a record is validated whole, including the parts that aren't used.
    """
    if not data or data == b"null":
        return
    if isinstance(data, bytes):
        data = read_document(_TICKET_DATA, data, "data", EXACT_DATA)
    whole_ticket(
        msgspec.structs.replace(data, status=data.status or "-", created_at=data.created_at or _ANY_INSTANT), False
    )


def read_patch(document: bytes) -> Patch:
    """Decodes an RFC 7396 merge patch. Raises PoisonEvent, also when the patch isn't an object.

    `Patch.members` maps attribute names of Ticket to values, None to remove one; `fields` is itself a merge patch.
    """
    data = read_document(_PATCH_DATA, document, "data", EXACT_DATA)
    members: dict[str, Any] = {}
    for name, field in _MEMBERS.items():
        value = getattr(data, name)
        if value is not UNSET:
            members[name] = _PATCHED[name](value, f"data.{field.encode_name}")
    return Patch(members)


def _instant(text: str, name: str) -> Instant:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise PoisonEvent(f"{name}: {error}") from None


def _check_ids(data: TicketData) -> None:
    for name in ("status", "priority", "category", "team", "assignee", "requester"):
        _patched_id(getattr(data, name), f"data.{name}")


def _storable_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields with integers beyond 64 bits converted by `json_number`: MessagePack can't store them."""
    try:
        _STORED_NUMBERS.encode(fields)
    except OverflowError:
        storable: dict[str, Any] = _storable(fields)
        return storable
    return fields


def _storable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return json_number(value) if isinstance(value, int) else value


def _required(normalise: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def normalise_required(value: Any, name: str) -> Any:
        if not value:
            raise PoisonEvent(f"{name}: can't be removed")
        return normalise(value, name)

    return normalise_required


def _patched_id(value: str | None, name: str) -> str | None:
    if not value:
        return None
    check_id(value, name)
    return value


def _patched_instant(value: str | None, name: str) -> Instant | None:
    return _instant(value, name) if value else None


def _patched_flag(value: bool | None, _name: str) -> bool:
    return value or False


def _patched_tags(value: tuple[str, ...] | None, _name: str) -> tuple[str, ...]:
    return value or ()


def _patched_fields(value: dict[str, Any] | None, _name: str) -> dict[str, Any] | None:
    return None if value is None else _storable_fields(value)


_PATCHED: dict[str, Callable[[Any, str], Any]] = {
    "status": _required(_patched_id),
    "created_at": _required(_patched_instant),
    "priority": _patched_id,
    "category": _patched_id,
    "team": _patched_id,
    "assignee": _patched_id,
    "requester": _patched_id,
    "updated_at": _patched_instant,
    "due_at": _patched_instant,
    "sla_due_at": _patched_instant,
    "closed_at": _patched_instant,
    "sla_breached": _patched_flag,
    "tags": _patched_tags,
    "fields": _patched_fields,
}
