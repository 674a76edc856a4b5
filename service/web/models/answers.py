"""What the JSON API answers. Only describes: handlers encode values, of which tests compare each with its model."""

from typing import Annotated, Literal

from pydantic import Field

from service.domain.catalogue.catalogue import FilterType
from service.web.models.model import Closed, Count, Instant, Model, Success, Text


class FilterLabel(Closed):
    """The name of a filter, and how to show it."""

    id: Text
    name: str
    type: FilterType
    color: str = ""
    """Left out where none is set."""


class Summary(Closed):
    """Tickets within the scope and the profile, whatever filters are requested."""

    total_open: Count
    total_closed: Count
    sla_breached: Count
    """Tickets that are flagged so, or open past `slaDueAt`."""
    due_today: Count
    """Open tickets that are due within the viewer's local day."""
    overdue: Count
    """Open tickets past `dueAt`."""


Counts = Annotated[dict[str, Count], Field(examples=[{"all": 312, "3745": 48}])]
FilterDetails = dict[str, FilterLabel]


class CountData(Model):
    """All numbers are from one atomic read."""

    counts: Counts
    """The tickets of each requested filter, by its id."""
    filter_details: FilterDetails
    """An entry for every requested id, in the order of the request."""
    summary: Summary
    computed_at: Instant
    timezone: str


class CountAnswer(Success):
    """Counts of filters, with a summary."""

    data: CountData


class ProfileName(Model):
    """A saved profile."""

    id: Text
    name: str


class FiltersData(Model):
    """`all` first, then statuses and priorities in their order, then filters by name."""

    filters: list[FilterLabel]
    profiles: list[ProfileName]


class FiltersAnswer(Success):
    """What the caller may ask to be counted."""

    data: FiltersData


class PreviewData(Closed):
    """The number of tickets that match, and when they were counted."""

    count: Count
    computed_at: Instant


class PreviewAnswer(Success):
    """What a filter would count."""

    data: PreviewData


class StreamTicketData(Model):
    """The ticket, and for how many seconds it opens a stream."""

    ticket: str
    expires_in: Annotated[int, Field(ge=1)]


class StreamTicketAnswer(Success):
    """A ticket that opens one stream."""

    data: StreamTicketData


Identity = Annotated[str, Field(pattern=r"^[0-9a-f]+\.[0-9]+\.[A-Za-z0-9_-]+$", examples=["3f9a.1042.pZ7x"])]


class StreamSnapshot(Closed):
    """The whole state: first on every connect, and again when names or colours change."""

    counts: Counts
    filter_details: FilterDetails
    summary: Summary
    computed_at: Instant
    as_of: Instant | None
    """The newest event time applied; null before the first."""
    fresh: bool
    """Whether consumers are neither behind nor silent for more than 5 s."""
    timezone: str
    version: Identity


class StreamCounts(Closed):
    """Absolute values of what changed, and of nothing else."""

    counts: Counts
    summary: dict[str, Count]
    computed_at: Instant
    as_of: Instant | None
    version: Identity


class StreamHeartbeat(Closed):
    """What the client shows is still so."""

    version: Identity
    as_of: Instant | None
    fresh: bool


class StreamBye(Closed):
    """The planned end of the stream."""

    reason: Literal["drain", "rotation", "expired", "access", "overload"]
    version: Identity


STREAM_EVENTS: dict[str, type[Model]] = {
    "snapshot": StreamSnapshot,
    "counts": StreamCounts,
    "current": StreamHeartbeat,
    "heartbeat": StreamHeartbeat,
    "bye": StreamBye,
}
"""The model of the data of each stream event, by the event's name."""


class Alive(Closed):
    """The event loop turns."""

    status: Literal["alive"]


class ReadinessAnswer(Closed):
    """Whether answers can be given, and if not, what is missing."""

    status: Literal["ready", "not ready"]
    store: bool
    """Whether the store answers."""
    catalogue: bool
    """Whether the whole catalogue has been read."""
