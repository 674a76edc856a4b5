"""Reads a line of a source-system export and compares it with the stored ticket. Pure."""

from typing import Any

import msgspec

from consumers.decoding.event_record import read_sequence
from consumers.decoding.ids import check_id, check_tenant
from consumers.decoding.ticket_data import EXACT_DATA, read_ticket
from consumers.publishing.line_source import Line
from service.domain.json_reading import EXACT, UnpairedSurrogate, read_json
from service.domain.tickets.event import PoisonEvent
from service.domain.tickets.ticket import Ticket, TicketState


class BadExport(Exception):
    """The line is not a ticket of an export. The message names its file and line."""


class Exported(msgspec.Struct, frozen=True):
    """One ticket of the source system. `ticket` and `data` are None when the export has only its sequence."""

    tenant: str
    name: str
    sequence: int
    ticket: Ticket | None
    data: bytes | None


_NONE = msgspec.Raw(b"null")


class _ExportLine(msgspec.Struct):
    tenant: str
    ticket: str
    sequence: int | str
    data: msgspec.Raw = _NONE


_decoder = msgspec.json.Decoder(_ExportLine)


def exported(line: Line) -> Exported:
    """Reads a line `{"tenant", "ticket", "sequence", "data"?}`. Raises BadExport."""
    try:
        read = read_json(_decoder, line.text, {"tenant": EXACT, "ticket": EXACT, "data": EXACT_DATA})
        check_tenant(read.tenant, "tenant")
        check_id(read.ticket, "ticket")
        data = None if read.data == _NONE else bytes(read.data)
        ticket = None if data is None else read_ticket(data, closed_by_event=False)
        return Exported(read.tenant, read.ticket, read_sequence(read.sequence), ticket, data)
    except (msgspec.DecodeError, UnicodeDecodeError, UnpairedSurrogate, RecursionError, PoisonEvent) as error:
        raise BadExport(f"{line.place}: {error}") from None


def difference(one: Exported, ticket_state: TicketState | None) -> str:
    """Describes how the stored ticket lags behind or contradicts the export; "" when it doesn't.

    An export may be older than the store: a stored ticket with a higher sequence is no difference.
    """
    if ticket_state is None:
        return "missing: the log has no event of it"
    if ticket_state.sequence < one.sequence:
        return f"outdated: sequence {ticket_state.sequence} here, {one.sequence} in the source"
    if ticket_state.sequence > one.sequence or one.ticket is None:
        return ""
    if ticket_state.ticket is None:
        return f"deleted here at sequence {one.sequence}, but not in the source"
    # An export doesn't say whether a `ticket.closed` event closed the ticket.
    same = msgspec.structs.replace(ticket_state.ticket, closed_by_event=False) == one.ticket
    return "" if same else f"other content at sequence {one.sequence}: the source has to raise the sequence"


def mendable(one: Exported, ticket_state: TicketState | None) -> bool:
    """Whether an event with the exported ticket would remove the difference."""
    return one.data is not None and (ticket_state is None or ticket_state.sequence < one.sequence)


def event_of(one: Exported) -> tuple[bytes, bytes]:
    """Returns key and value of an event that carries the exported ticket."""
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"{one.name}-{one.sequence}",
        "source": "/audit",
        "type": "ticket.updated",
        "tenantid": one.tenant,
        "subject": one.name,
        "sequence": str(one.sequence),
        "data": _NONE if one.data is None else msgspec.Raw(one.data),
    }
    return f"{one.tenant}/{one.name}".encode(), msgspec.json.encode(event)
