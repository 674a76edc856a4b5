"""The headers, queries and bodies of the JSON API. Never decides what a caller may see."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, FailFast, Field, PlainValidator, RootModel
from pydantic_core import PydanticCustomError

from service import timezones
from service.domain.conditions.condition import Condition, ConditionError
from service.domain.conditions.leaf_values import MAX_VALUES
from service.domain.conditions.operators import EVERY_OPERATOR
from service.domain.conditions.where import MAX_LEAVES, MAX_LEVELS, parse_where
from service.domain.counting.viewer import Perspective
from service.web.models.model import Closed, Model, Text

MAX_FILTER_IDS = 500
"""Most distinct ids in one request, as the API promises."""

EXAMPLE_IDS = ["all", "3745"]


def _distinct(ids: tuple[str, ...]) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(ids))
    if not 0 < len(distinct) <= MAX_FILTER_IDS:
        raise PydanticCustomError("distinct", "must be 1 to {most} distinct ids", {"most": MAX_FILTER_IDS})
    return distinct


def _ids_in_query(sent: list[str]) -> list[str]:
    """One `filterIds` is a comma-separated list. Of several, each is one id, which may contain commas."""
    return sent[0].split(",") if len(sent) == 1 else sent


def _known_zone(zone: str) -> str:
    if zone not in timezones.names():
        raise PydanticCustomError("timezone", "must be an IANA time zone in its exact letter case")
    return zone


def _compiled(where: object) -> Condition:
    if where is None:
        raise PydanticCustomError("missing", "is missing")
    try:
        return parse_where(where)
    except ConditionError as error:
        context = {"path": error.path, "problem": error.problem}
        raise PydanticCustomError("condition", "{problem}", context) from None


# Strict tuples aren't made of lists, and one bad id of 10,000 is enough.
FilterIds = Annotated[
    tuple[Text, ...],
    Field(strict=False, min_length=1, examples=[EXAMPLE_IDS]),
    FailFast(),
    AfterValidator(_distinct),
]
TimeZone = Annotated[str, Field(examples=["Europe/Berlin"]), AfterValidator(_known_zone)]


class CallerHeaders(Model):
    """The headers beside `authorization` of every request by a caller with a token."""

    tenant: Annotated[str, Field(alias="x-tenantid", pattern="^[A-Za-z0-9_-]{1,64}$")]
    """The tenant, sent once."""
    realm: Annotated[str, Field(alias="realmname", min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
    """The authentication realm, sent once."""
    support: Annotated[Literal["true", "false"], Field(alias="issupportrequest")] = "false"
    """Recorded in the access log; changes no count."""


class ConditionalHeaders(Model):
    """The header of a conditional request."""

    if_none_match: Annotated[str, Field(alias="if-none-match")] = ""
    """The `ETag` of the answer that the client has."""


class PerspectiveQuery(Model):
    """The query of every request by a caller with a token."""

    type: Annotated[Perspective, Field(strict=False)]
    """The perspective; it only narrows what the role may see. `agent` needs ticket_agent or ticket_admin."""
    module: Literal["ticketing"]
    """Always `ticketing`."""


class FilterIdsQuery(PerspectiveQuery):
    """The query of a count."""

    filter_ids: Annotated[FilterIds, BeforeValidator(_ids_in_query)]
    """1 to 500 distinct ids, with commas between; repeated, each is one whole id."""
    profile_id: Annotated[Text | None, Field(alias="templateProfileFilterId")] = None
    """A saved profile that narrows every count and the summary."""
    timezone: TimeZone | None = None
    """IANA name in its exact letter case, links included; `UTC` when it is left out."""


class CountBody(Model):
    """What to count. `null` is as if left out, but for `filterIds`."""

    filter_ids: FilterIds
    """1 to 500 distinct ids, counted after duplicates are dropped."""
    profile_id: Annotated[Text | None, Field(alias="templateProfileFilterId")] = None
    """A saved profile that narrows every count and the summary."""
    timezone: TimeZone | None = None
    """IANA name in its exact letter case, links included; `UTC` when it is left out."""


class LeafNode(Closed):
    """A comparison of one field."""

    field: Annotated[str, Field(examples=["status", "fields.product"])]
    op: Annotated[str, Field(json_schema_extra={"enum": sorted(EVERY_OPERATOR)})]
    value: Annotated[Any, Field(description=f"As the operator needs it; a list holds at most {MAX_VALUES} values.")] = (
        None
    )


class Lists(Closed):
    """All of the first list and any of the second must hold. An empty list beside a filled one says nothing."""

    all_of: Annotated[tuple["ConditionNode", ...], Field(alias="all")] = ()
    any_of: Annotated[tuple["ConditionNode", ...], Field(alias="any")] = ()


class Negation(Closed):
    """The opposite of one condition."""

    opposite: Annotated["ConditionNode", Field(alias="not")]


class ConditionNode(RootModel[LeafNode | Negation | Lists]):
    """A node of a tree of conditions. Generated clients read it as the first that fits, and any object fits lists."""

    model_config = ConfigDict(
        json_schema_extra={
            "description": f"A tree of at most {MAX_LEAVES} leaves in {MAX_LEVELS} levels.",
            "examples": [{"all": [{"field": "priority", "op": "eq", "value": "4195"}]}],
        }
    )


class PreviewBody(Model):
    """The condition to count by, and the rest of a count's body. `filterIds` is ignored."""

    where: Annotated[Condition, PlainValidator(_compiled, json_schema_input_type=ConditionNode)]
    profile_id: Annotated[Text | None, Field(alias="templateProfileFilterId")] = None
    """A saved profile that narrows the count."""
    timezone: TimeZone | None = None
    """IANA name in its exact letter case, links included; `UTC` when it is left out."""


class StreamTicketQuery(Model):
    """What opens a stream without headers."""

    ticket: str = ""
    """A stream ticket, instead of all headers and other parameters."""


class LastEventQuery(Model):
    """`last-event-id`, for clients that can't send the header."""

    last_event_id: Annotated[str, Field(alias="last_event_id")] = ""
    """The last id received: `current` comes instead of `snapshot` when nothing changed since."""


class LastEventHeaders(Model):
    """The header of a client that comes back."""

    last_event_id: Annotated[str, Field(alias="last-event-id")] = ""
    """The last id received: `current` comes instead of `snapshot` when nothing changed since."""
