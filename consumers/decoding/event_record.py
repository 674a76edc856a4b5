"""A Kafka record of the events topic → a TicketEvent, checked whole. Never knows what came before, nor who is a tenant.

Decided here, where the contract leaves it open: an empty key isn't a missing one; a JSON `sequence` is written as a
whole number (not 1.0 or 1e3), as text in ASCII digits, leading zeros allowed; an empty `time` is a missing one; a
delete's data is checked, but needs no status and no createdAt.
"""

from consumers.decoding.cloudevent import (
    Attributes,
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
from consumers.decoding.ticket_data import TicketData, check_unread, read_patch, read_ticket, whole_ticket
from service.domain.tickets.event import EventType, Patch, PoisonEvent, TicketEvent
from service.domain.tickets.history import LARGEST_SEQUENCE
from service.domain.tickets.instant import LAST_INSTANT, parse_instant
from service.domain.tickets.ticket import Instant, Ticket

LARGEST_VALUE_BYTES = 1024 * 1024
"""Of a record's value: what the contract lets in, and a broker's default limit."""

_SEQUENCE_DIGITS = len(str(LARGEST_SEQUENCE))
_TYPES = {str(type_): type_ for type_ in EventType}


def decode(key: bytes | None, value: bytes | None, headers: Headers, timestamp_ms: int) -> TicketEvent:
    """What this record says; `timestamp_ms` is Kafka's, the event's time where it brings none itself.

    Raises PoisonEvent, with a reason that begins with the name of what is wrong.
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
        raise PoisonEvent("key: says otherwise than tenantid and subject")
    if attributes.sequence is None:
        raise PoisonEvent("sequence: missing")
    sequence = read_sequence(attributes.sequence)
    time = _time(attributes.time, timestamp_ms)
    return TicketEvent(tenant, ticket, sequence, type_, time, _change(type_, event))


def _tombstone(key: bytes | None, attributes: Attributes, timestamp_ms: int) -> TicketEvent:
    """A null value: it deletes whatever its type says, and needs no more than to name its ticket."""
    if attributes.specversion is not None:
        check_specversion(attributes.specversion)
    if key is not None and not (attributes.tenantid and attributes.subject):
        _complete_from_key(attributes, key)
    tenant, ticket = _tenant_and_ticket(attributes)
    if key is not None and key != f"{tenant}/{ticket}".encode():
        raise PoisonEvent("key: says otherwise than ce_tenantid and ce_subject")
    sequence = None if attributes.sequence is None else read_sequence(attributes.sequence)
    return TicketEvent(tenant, ticket, sequence, EventType.DELETED, _time(attributes.time, timestamp_ms), None)


def _complete_from_key(attributes: Attributes, key: bytes) -> None:
    try:
        tenant, slash, ticket = key.decode().partition("/")  # a tenant has none, a ticket may
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


def read_sequence(given: int | str) -> int:
    """The sequence that is written so. Raises PoisonEvent."""
    if isinstance(given, str):
        if not (given.isascii() and given.isdigit()):
            raise PoisonEvent("sequence: must be a whole number, in digits alone")
        digits = given.lstrip("0") or "0"
        given = int(digits) if len(digits) <= _SEQUENCE_DIGITS else LARGEST_SEQUENCE + 1
    if not 0 <= given <= LARGEST_SEQUENCE:
        raise PoisonEvent(f"sequence: must be 0 to {LARGEST_SEQUENCE}")
    return given


def _time(text: str | None, timestamp_ms: int) -> Instant:
    if text:
        try:
            return parse_instant(text)
        except ValueError as error:
            raise PoisonEvent(f"time: {error}") from None
    if not 0 <= timestamp_ms * 1_000 <= LAST_INSTANT:  # Kafka's -1: the record has none
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
