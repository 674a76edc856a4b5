"""The JSON of ticket events, member by member: for decoding it, and for the schemas that describe it to publishers.

Types alone are checked when an event is decoded. What `Meta` adds here is only told: the decoding checks it with better
words, and an optional member may be `""` instead of null.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from service.domain.tickets.history import LARGEST_SEQUENCE
from service.domain.tickets.ids import LONGEST_ID

_CLEAN = {"pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]*$", "description": "Without control characters."}
_INSTANT = {"type": "string", "format": "date-time"}

_Text = Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1})]
_TenantId = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[A-Za-z0-9_-]{1,64}$"})]
_TicketId = Annotated[str, msgspec.Meta(extra_json_schema={**_CLEAN, "minLength": 1, "maxLength": LONGEST_ID})]
_Id = Annotated[str, msgspec.Meta(max_length=LONGEST_ID, extra_json_schema=_CLEAN)]
_GivenId = Annotated[str, msgspec.Meta(max_length=LONGEST_ID, extra_json_schema={**_CLEAN, "minLength": 1})]
_GivenInstant = Annotated[str, msgspec.Meta(extra_json_schema=_INSTANT)]
_Instant = Annotated[str, msgspec.Meta(extra_json_schema={"anyOf": [_INSTANT, {"const": ""}]})]
_Number = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": LARGEST_SEQUENCE})]
_Digits = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^[0-9]+$"})]


class Attributes(msgspec.Struct, gc=False):
    """The context attributes that we use. None for an absent attribute and for null."""

    specversion: Annotated[str, msgspec.Meta(extra_json_schema={"const": "1.0"})] | None = None
    id: Annotated[_Text | None, msgspec.Meta(description="Names the event within its source.")] = None
    source: Annotated[_Text | None, msgspec.Meta(description="The system that the event comes from.")] = None
    type: str | None = None
    subject: Annotated[_TicketId | None, msgspec.Meta(description="The ticket's id.")] = None
    tenantid: _TenantId | None = None
    sequence: Annotated[
        _Number | _Digits | None,
        msgspec.Meta(description="Grows per ticket. An event that is not above the last one changes nothing."),
    ] = None
    time: Annotated[_Instant | None, msgspec.Meta(description="Kafka's timestamp where it is missing.")] = None
    datacontenttype: str | None = None


class TicketData(msgspec.Struct, rename="camel", gc=False):
    """`data` with the right JSON types. Ids and instants are text that isn't validated yet."""

    status: _GivenId | None = None
    created_at: _GivenInstant | None = None
    priority: _Id | None = None
    category: _Id | None = None
    team: _Id | None = None
    assignee: _Id | None = None
    requester: _Id | None = None
    updated_at: _Instant | None = None
    due_at: _Instant | None = None
    sla_due_at: _Instant | None = None
    closed_at: _Instant | None = None
    sla_breached: bool | None = None
    tags: tuple[str, ...] | None = None
    fields: Annotated[dict[str, Any] | None, msgspec.Meta(description="Custom fields by name, of any JSON type.")] = (
        None
    )


# The same members and types. A merge patch distinguishes a missing member (UNSET) from null.
PatchData = msgspec.defstruct(
    "PatchData",
    [(field.name, field.type | UNSET.__class__, UNSET) for field in msgspec.structs.fields(TicketData)],
    rename="camel",
)


class StructuredEvent(Attributes, gc=False):
    """The usual event, decoded with its data in one pass."""

    data: TicketData | None = None
    data_base64: str | None = None
