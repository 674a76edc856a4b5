"""Reads a request's count parameters from its query or its body. Never decides what the caller may see."""

import re
from functools import lru_cache
from typing import Annotated, TypeVar

import msgspec

from service import timezones
from service.domain.conditions.where import EXACT_WHERE
from service.domain.counting.viewer import Perspective
from service.domain.json_reading import EXACT, Exact, UnpairedSurrogate, read_json
from service.turns import in_turns
from service.web.http.errors import Code, Refused, invalid
from service.web.http.large_bodies import LARGE_BYTES, reduced
from service.web.http.query import Query, check_module, perspective, support_flag
from service.web.http.requests import Request

MAX_FILTER_IDS = 500
"""Most distinct ids in one request, as the API promises."""

MEDIA_TYPE = re.compile(rb'\s*+application/json\s*+(?:;\s*+charset\s*+=\s*+"?utf-?8"?\s*+)?+;?\s*+', re.IGNORECASE)
"""RFC 8259 section 11 defines no parameter. A charset other than UTF-8 is refused, because it would be decoded wrongly.
The quantifiers are possessive: with backtracking, 60,000 blanks took 14 s."""

LONGEST_REMEMBERED = 256
"""Bytes of the longest query whose perspective is cached. A POST needs 30."""

FIELD = re.compile(r"\$\.(\w+)|field `(\w+)`")
"""Finds the top-level field in msgspec's message about a body of the wrong shape."""

EXACT_BODY: Exact = {**dict.fromkeys(("filterIds", "templateProfileFilterId"), EXACT), "where": EXACT_WHERE}
"""The members of any endpoint's body that are read exactly: the ids, and the values in conditions."""

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class CountBody(msgspec.Struct):
    """The JSON body; unknown fields are ignored."""

    filter_ids: list[NonEmpty] = msgspec.field(name="filterIds")
    profile_id: NonEmpty | None = msgspec.field(name="templateProfileFilterId", default=None)
    timezone: str | None = None


class CountParameters(msgspec.Struct, frozen=True):
    """The validated parameters of a count: the ids are distinct, and the time zone exists."""

    perspective: Perspective
    filter_ids: tuple[str, ...]
    profile_id: str | None
    timezone: str


_decoder = msgspec.json.Decoder(CountBody)

B = TypeVar("B", bound=msgspec.Struct)


async def parameters_in_body(request: Request) -> CountParameters:
    """Returns the parameters of a POST. Raises Refused (415, then 413, then 400) and ClientGone."""
    kind, body = await perspective_and_body(request, _decoder)
    return _parameters(kind, body.filter_ids, body.profile_id, body.timezone)


async def perspective_and_body(request: Request, decoder: "msgspec.json.Decoder[B]") -> tuple[Perspective, B]:
    """Checks the query and headers of a POST; returns its perspective and body. Raises as `parameters_in_body`."""
    _check_media_type(request)
    encoded = await request.body()
    if len(encoded) > LARGE_BYTES:
        encoded = await in_turns(reduced(encoded, decoder.type, MAX_FILTER_IDS))
    query = request.query
    kind = _perspective_of(query) if len(query) <= LONGEST_REMEMBERED else _perspective_in(Query(query))
    request.trace.support_request = support_flag(request)
    return kind, _decoded(encoded, decoder)


def parameters_in_query(request: Request) -> CountParameters:
    """Returns the parameters of a GET. Raises Refused."""
    query = Query(request.query)
    kind = common(request, query)
    sent = query.all("filterIds")
    # One `filterIds` is a comma-separated list. Of several, each is one id, which may contain commas.
    ids = sent[0].split(",") if len(sent) == 1 else sent
    if not sent:
        raise invalid("filterIds", "is missing")
    if "" in ids:
        raise invalid("filterIds", "must be non-empty ids")
    profile_id = query.one("templateProfileFilterId")
    if profile_id == "":
        raise invalid("templateProfileFilterId", "must be a non-empty id")
    return _parameters(kind, ids, profile_id, query.one("timezone"))


def common(request: Request, query: Query) -> Perspective:
    """Checks the query and headers that all endpoints share; returns the perspective. Raises Refused."""
    kind = _perspective_in(query)
    request.trace.support_request = support_flag(request)
    return kind


def _perspective_in(query: Query) -> Perspective:
    kind = perspective(query)
    check_module(query)
    return kind


@lru_cache(maxsize=256)
def _perspective_of(query: bytes) -> Perspective:
    """Caches the perspectives of the few queries that nearly all POSTs have. Refusals aren't cached."""
    return _perspective_in(Query(query))


def _check_media_type(request: Request) -> None:
    sent = request.header(b"content-type")
    if sent is None or request.is_repeated(b"content-type") or MEDIA_TYPE.fullmatch(sent) is None:
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json")
    if (request.header(b"content-encoding") or b"identity").strip().lower() != b"identity":
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "The body must not be compressed")


def known_zone(zone: str | None) -> str:
    """Returns the name of the time zone, or the default for None. Raises Refused for an unknown one."""
    if zone is None:
        return timezones.DEFAULT
    if zone not in timezones.names():
        raise invalid("timezone", "must be an IANA time zone in its exact letter case")
    return zone


def _decoded(encoded: bytes, decoder: "msgspec.json.Decoder[B]") -> B:
    try:
        return read_json(decoder, encoded, EXACT_BODY)
    except UnpairedSurrogate as error:
        # In a condition, name the node, as for one that does not compile. Elsewhere, name the member.
        field = error.path if error.path.startswith("where") else error.path.partition("[")[0]
        raise invalid(field, "an unpaired surrogate") from None
    except msgspec.ValidationError as error:
        match = FIELD.search(str(error))
        field = (match[1] or match[2]) if match else "body"
        raise invalid(field, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("body", "must be a JSON object") from None


def _parameters(kind: Perspective, ids: list[str], profile_id: str | None, zone: str | None) -> CountParameters:
    distinct = tuple(dict.fromkeys(ids))
    if not 0 < len(distinct) <= MAX_FILTER_IDS:
        raise invalid("filterIds", f"must be 1 to {MAX_FILTER_IDS} distinct ids")
    return CountParameters(kind, distinct, profile_id, known_zone(zone))
