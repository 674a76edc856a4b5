"""Decodes a record of the events topic to a validated TicketEvent. Never looks at earlier events or at the catalogue.

Rules that the contract leaves open:

- An empty key is a key, not a missing one.
- `sequence` is a JSON integer (not 1.0 or 1e3), or a string of ASCII digits, in which leading zeros are allowed.
- An empty `time` counts as missing.
- The data of a delete event is validated, but needs no status and no createdAt.
"""

from consumers.decoding.cloudevent import (
    CloudEvent,
    DataKind,
    Headers,
    binary_headers,
    check_specversion,
    header_attributes,
    read_event,
)
from consumers.decoding.ids import check_id, check_tenant
from consumers.decoding.json_document import check_document
from consumers.decoding.ticket_data import check_unread, read_patch, read_ticket, whole_ticket
from service.domain.tickets.event import EventType, Patch, PoisonEvent, TicketEvent
from service.domain.tickets.event_shapes import Attributes, TicketData
from service.domain.tickets.history import LARGEST_SEQUENCE
from service.domain.tickets.instant import LAST_INSTANT, parse_instant
from service.domain.tickets.ticket import Instant, Ticket

LARGEST_VALUE_BYTES = 1024 * 1024
"""Largest record value: the contract's limit, and a broker's default."""

_SEQUENCE_DIGITS = len(str(LARGEST_SEQUENCE))
_TYPES = {str(type_): type_ for type_ in EventType}


def decode(key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> TicketEvent:
    """Decodes a record. `timestamp_ms` is Kafka's, and is the event's time when the event has none.

    Raises PoisonEvent; its reason begins with the name of the wrong attribute or member.
    """
    if value is None:
        return _tombstone(key, header_attributes(binary_headers(headers)), timestamp_ms)
    if len(value) > LARGEST_VALUE_BYTES:
        raise PoisonEvent(f"value: {len(value)} bytes, more than {LARGEST_VALUE_BYTES}")
    event = read_event(value, headers)
    attributes = event.attributes
    if not attributes.id:
        raise PoisonEvent("id: missing")
    if not attributes.source:
        raise PoisonEvent("source: missing")
    type_ = _event_type(attributes.type)
    tenant, ticket = _tenant_and_ticket(attributes)
    if key is not None and key != f"{tenant}/{ticket}".encode():
        raise PoisonEvent("key: differs from tenantid and subject")
    if attributes.sequence is None:
        raise PoisonEvent("sequence: missing")
    sequence = read_sequence(attributes.sequence)
    time = _time(attributes.time, timestamp_ms)
    return TicketEvent(tenant, ticket, sequence, type_, time, _change(type_, event))


def _tombstone(key: bytes | None, attributes: Attributes, timestamp_ms: int) -> TicketEvent:
    """Decodes a record with a null value: a delete, whatever its type. It only has to name its ticket."""
    if attributes.specversion is not None:
        check_specversion(attributes.specversion)
    if key is not None and not (attributes.tenantid and attributes.subject):
        _complete_from_key(attributes, key)
    tenant, ticket = _tenant_and_ticket(attributes)
    if key is not None and key != f"{tenant}/{ticket}".encode():
        raise PoisonEvent("key: differs from ce_tenantid and ce_subject")
    sequence = None if attributes.sequence is None else read_sequence(attributes.sequence)
    return TicketEvent(tenant, ticket, sequence, EventType.DELETED, _time(attributes.time, timestamp_ms), None)


def _complete_from_key(attributes: Attributes, key: bytes) -> None:
    try:
        tenant, slash, ticket = key.decode().partition("/")  # only a ticket id may contain a slash
    except UnicodeDecodeError:
        raise PoisonEvent("key: not UTF-8") from None
    if not slash:
        raise PoisonEvent("key: not <tenant>/<ticket>")
    attributes.tenantid = attributes.tenantid or tenant
    attributes.subject = attributes.subject or ticket


def _event_type(text: str | None) -> EventType:
    type_ = _TYPES.get(text or "")
    if type_ is None:
        raise PoisonEvent(f"type: none of {', '.join(_TYPES)}" if text else "type: missing")
    return type_


def _tenant_and_ticket(attributes: Attributes) -> tuple[str, str]:
    if not attributes.tenantid:
        raise PoisonEvent("tenantid: missing")
    if not attributes.subject:
        raise PoisonEvent("subject: missing")
    check_tenant(attributes.tenantid, "tenantid")
    check_id(attributes.subject, "subject")
    return attributes.tenantid, attributes.subject


def read_sequence(value: int | str) -> int:
    """Returns the sequence as a number. Raises PoisonEvent."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit()):
            raise PoisonEvent("sequence: must be a whole number, in digits alone")
        digits = value.lstrip("0") or "0"
        value = int(digits) if len(digits) <= _SEQUENCE_DIGITS else LARGEST_SEQUENCE + 1
    if not 0 <= value <= LARGEST_SEQUENCE:
        raise PoisonEvent(f"sequence: must be 0 to {LARGEST_SEQUENCE}")
    return value


def _time(text: str | None, timestamp_ms: int) -> Instant:
    if text:
        try:
            return parse_instant(text)
        except ValueError as error:
            raise PoisonEvent(f"time: {error}") from None
    if not 0 <= timestamp_ms * 1_000 <= LAST_INSTANT:  # Kafka's -1 means no timestamp
        raise PoisonEvent(f"time: missing, and the record's timestamp is {timestamp_ms}")
    return timestamp_ms * 1_000


def _change(type_: EventType, event: CloudEvent) -> Ticket | Patch | None:
    data = event.data
    if type_ is EventType.DELETED:
        if isinstance(data, bytes):
            check_document(data, "data")
        check_unread(data)
        return None
    if isinstance(data, TicketData):
        return whole_ticket(data, type_ is EventType.CLOSED)
    if not data:
        raise PoisonEvent("data: missing")
    check_document(data, "data")
    if event.kind is DataKind.PATCH:
        return read_patch(data)
    return read_ticket(data, type_ is EventType.CLOSED)
