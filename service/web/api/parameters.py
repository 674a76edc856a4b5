"""Reads a request's count parameters from its query or its body. Never decides what the caller may see."""

import re
from functools import lru_cache

import msgspec

from service import timezones
from service.domain.conditions.where import EXACT_WHERE
from service.domain.counting.viewer import Perspective
from service.domain.json_reading import EXACT, Exact
from service.web.http.errors import Code, Refused
from service.web.http.large_bodies import LARGE_BYTES, made_small
from service.web.http.query import Query, support_flag
from service.web.http.requests import Request
from service.web.models.json_body import JsonBody
from service.web.models.model import M, fitted
from service.web.models.requests import MAX_FILTER_IDS, CountBody, FilterIdsQuery, PerspectiveQuery

MEDIA_TYPE = re.compile(rb'\s*+application/json\s*+(?:;\s*+charset\s*+=\s*+"?utf-?8"?\s*+)?+;?\s*+', re.IGNORECASE)
"""RFC 8259 section 11 defines no parameter. A charset other than UTF-8 is refused, because it would be decoded wrongly.
The quantifiers are possessive: with backtracking, 60,000 blanks took 14 s."""

LONGEST_REMEMBERED = 256
"""Bytes of the longest query whose perspective is cached. A POST needs 30."""

EXACT_BODY: Exact = {**dict.fromkeys(("filterIds", "templateProfileFilterId"), EXACT), "where": EXACT_WHERE}
"""The members of any endpoint's body that are read exactly: the ids, and the values in conditions."""

COUNT_BODY = JsonBody(CountBody, EXACT_BODY)


class CountParameters(msgspec.Struct, frozen=True):
    """The validated parameters of a count: the ids are distinct, and the time zone exists."""

    perspective: Perspective
    filter_ids: tuple[str, ...]
    profile_id: str | None
    timezone: str


async def parameters_in_body(request: Request) -> CountParameters:
    """Returns the parameters of a POST. Raises Refused (415, then 413, then 400) and ClientDisconnect."""
    kind, body = await perspective_and_body(request, COUNT_BODY)
    return parameters_of(kind, body)


async def perspective_and_body(request: Request, expected: JsonBody[M]) -> tuple[Perspective, M]:
    """Checks the query and headers of a POST; returns its perspective and body. Raises as `parameters_in_body`."""
    _check_media_type(request)
    encoded = await request.body()
    if len(encoded) > LARGE_BYTES:
        encoded = await made_small(encoded, expected.decoder.type, MAX_FILTER_IDS)
    query = request.query
    kind = _perspective_of(query) if len(query) <= LONGEST_REMEMBERED else _perspective_in(Query(query))
    request.trace.support_request = support_flag(request)
    return kind, expected.read(encoded)


def parameters_in_query(request: Request) -> CountParameters:
    """Returns the parameters of a GET. Raises Refused."""
    query = Query(request.query)
    kind = common(request, query)
    asked = fitted(
        FilterIdsQuery, query.members("type", "module", "templateProfileFilterId", "timezone", lists=("filterIds",))
    )
    return parameters_of(kind, asked)


def common(request: Request, query: Query) -> Perspective:
    """Checks the query and headers that all endpoints share; returns the perspective. Raises Refused."""
    kind = _perspective_in(query)
    request.trace.support_request = support_flag(request)
    return kind


def parameters_of(kind: Perspective, asked: CountBody | FilterIdsQuery) -> CountParameters:
    """Returns the parameters, with the default for a time zone that was left out."""
    return CountParameters(kind, asked.filter_ids, asked.profile_id, asked.timezone or timezones.DEFAULT)


def _perspective_in(query: Query) -> Perspective:
    return fitted(PerspectiveQuery, query.members("type", "module")).type


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
