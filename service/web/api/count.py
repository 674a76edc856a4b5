"""`POST` and `GET …/ticket/count`: reads the parameters, calls the query, shapes the answer. Never counts."""

import msgspec

from service.config.settings import ServiceSettings
from service.domain.counting.viewer import Viewer
from service.domain.tenants.view import CountRequest
from service.domain.tickets.instant import format_instant
from service.lru import Lru
from service.queries.counts import Answer, CountQueries
from service.web.api.parameters import CountParameters, parameters_in_body, parameters_in_query
from service.web.auth.gate import Caller, Gate, check_perspective
from service.web.http.endpoint import Endpoint
from service.web.http.errors import Code
from service.web.http.etag import is_not_modified
from service.web.http.replies import Headers, Reply, encode, success
from service.web.http.requests import Request
from service.web.http.snapshot_headers import SNAPSHOT_HEADERS, snapshot_headers, version
from service.web.models.answers import CountAnswer
from service.web.models.operation import BODY_ERRORS, CALLER_ERRORS, AnswerDescription, Operation, described, refusals
from service.web.models.requests import CallerHeaders, ConditionalHeaders, CountBody, FilterIdsQuery, PerspectiveQuery
from service.web.push.view_id import view_id

PATH = "/api/v2/ticketing/ticket/count"

CACHING: Headers = [
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"authorization, x-tenantid, realmname"),
]
"""Counts are private to the caller. Clients revalidate them each time, and the `ETag` then saves the body."""

DETAILS_REMEMBERED = 2_000
"""Encodings of `filterDetails` that are cached: one for each list of filter ids in use and record version."""

LONGEST_REMEMBERED = 16_384
"""Bytes of the longest cached `filterDetails`. All together take some 50 MB with their ids. Longer ones are rare, and
are encoded each time."""


TAGGED_HEADERS = {
    "ETag": '`W/"<epoch>.<version>.<view>"`; the view changes with all else that can change the answer.',
    **SNAPSHOT_HEADERS,
}


class Counting(Endpoint):
    """The endpoint of the count."""

    def __init__(self, gate: Gate, queries: CountQueries, settings: ServiceSettings) -> None:
        self._gate = gate
        self._queries = queries
        self._positions = settings.expose_positions
        self._details: Lru[tuple[str, str, tuple[str, ...]], msgspec.Raw] = Lru(DETAILS_REMEMBERED)

    @described(
        Operation(
            "postTicketCount",
            "counts",
            {200: AnswerDescription("The counts.", CountAnswer, SNAPSHOT_HEADERS)}
            | refusals(*CALLER_ERRORS, *BODY_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders,),
            query=(PerspectiveQuery,),
            body=CountBody,
        )
    )
    async def post(self, request: Request) -> Reply:
        """Answers with the counts that the body requests, and a summary.

        All numbers are from one atomic read. Unknown query and body fields are ignored, and `null` is as if left out,
        but for `filterIds`.
        """
        caller = await self._gate.admit(request)
        parameters = await parameters_in_body(request)
        answer = await self._answer(caller, count_request_of(caller.viewer, parameters), parameters.timezone)
        headers = [*CACHING, *self._snapshot_headers(answer)]
        return self._success(caller, parameters, answer, headers)

    @described(
        Operation(
            "getTicketCount",
            "counts",
            {
                200: AnswerDescription("The counts.", CountAnswer, TAGGED_HEADERS),
                304: AnswerDescription("The client has this answer already.", headers=TAGGED_HEADERS),
            }
            | refusals(*CALLER_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders, ConditionalHeaders),
            query=(FilterIdsQuery,),
        )
    )
    async def get(self, request: Request) -> Reply:
        """Answers with the counts that the query requests, or with 304 when the client has them already.

        The `ETag` names the counts and how their filters are shown; it is sent back as `if-none-match`.
        """
        caller = await self._gate.admit(request)
        parameters = parameters_in_query(request)
        count_request = count_request_of(caller.viewer, parameters)
        answer = await self._answer(caller, count_request, parameters.timezone)
        view = view_id(count_request, answer.view.version, parameters.timezone, answer.now)
        # Weak, because two answers with the same tag differ in `computedAt` (RFC 9110 section 8.8.1).
        etag = f'W/"{version(answer.snapshot)}.{view}"'.encode()
        headers = [(b"etag", etag), *CACHING, *self._snapshot_headers(answer)]
        if is_not_modified(request, etag):
            return Reply(304, headers, b"")
        return self._success(caller, parameters, answer, headers)

    def _snapshot_headers(self, answer: Answer) -> Headers:
        return snapshot_headers(answer.snapshot, answer.view.version, answer.now, positions=self._positions)

    async def _answer(self, caller: Caller, count_request: CountRequest, zone: str) -> Answer:
        return await self._queries.answer(caller.tenant_id, caller.realm, count_request, zone)

    def _success(self, caller: Caller, parameters: CountParameters, answer: Answer, headers: Headers) -> Reply:
        data = {
            "counts": answer.counts,
            "filterDetails": self._encoded_details(caller.tenant_id, parameters.filter_ids, answer),
            "summary": answer.summary,
            "computedAt": format_instant(answer.now),
            "timezone": parameters.timezone,
        }
        return success("Ticket counts retrieved successfully", data, answer.now, headers)

    def _encoded_details(self, tenant_id: str, filter_ids: tuple[str, ...], answer: Answer) -> msgspec.Raw:
        key = (tenant_id, answer.record_version, filter_ids)
        encoded = self._details.get(key)
        if encoded is None:
            encoded = msgspec.Raw(encode(answer.view.details(filter_ids)))
            if len(memoryview(encoded)) <= LONGEST_REMEMBERED:
                self._details.put(key, encoded)
        return encoded


def count_request_of(viewer: Viewer, parameters: CountParameters) -> CountRequest:
    """Returns the count request of this viewer. Raises Refused when the role doesn't allow the perspective."""
    check_perspective(viewer, parameters.perspective)
    return CountRequest(viewer, parameters.perspective, parameters.filter_ids, parameters.profile_id)
