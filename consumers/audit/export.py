"""A line of an export of the source system: a ticket as it is there. Pure."""

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
    """A line that is no ticket of an export. The message has its place."""


class Exported(msgspec.Struct, frozen=True):
    """One ticket of the source system; `ticket` and `data` are None where the export has only its sequence."""

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
    """The ticket of a line `{"tenant", "ticket", "sequence", "data"?}`. Raises BadExport."""
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
    """What we were not told, or told otherwise; "" for nothing. An export may be older than what we have."""
    if ticket_state is None:
        return "the log never told of it"
    if ticket_state.sequence < one.sequence:
        return f"the log told of sequence {ticket_state.sequence}, the source has {one.sequence}"
    if ticket_state.sequence > one.sequence or one.ticket is None:
        return ""
    if ticket_state.ticket is None:
        return f"deleted here at sequence {one.sequence}, which the source still has"
    # Which event closed it isn't in an export.
    same = msgspec.structs.replace(ticket_state.ticket, closed_by_event=False) == one.ticket
    return "" if same else f"other content at sequence {one.sequence}: the source has to raise the sequence"


def mendable(one: Exported, ticket_state: TicketState | None) -> bool:
    """Whether the export's ticket, sent as an event, would mend the difference."""
    return one.data is not None and (ticket_state is None or ticket_state.sequence < one.sequence)


def event_of(one: Exported) -> tuple[bytes, bytes]:
    """Key and value of the event that tells what the export says."""
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
