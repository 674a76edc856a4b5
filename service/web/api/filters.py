"""`GET …/ticket/filters`: lists the filters and profiles that the caller may use. Never counts."""

from service.clock import Clock
from service.queries.counts import CountQueries
from service.web.api.parameters import common
from service.web.auth.gate import Gate, check_perspective
from service.web.http.endpoint import Endpoint
from service.web.http.query import Query
from service.web.http.replies import Headers, Reply, success
from service.web.http.requests import Request
from service.web.models.answers import FiltersAnswer
from service.web.models.operation import CALLER_ERRORS, AnswerDescription, Operation, described, refusals
from service.web.models.requests import CallerHeaders, PerspectiveQuery

PATH = "/api/v2/ticketing/ticket/filters"

CACHING: Headers = [(b"cache-control", b"no-store")]
"""Names and visibility may change at any time, and a page requests them only once."""


class Listing(Endpoint):
    """The endpoint of the list of filters."""

    def __init__(self, gate: Gate, queries: CountQueries, clock: Clock) -> None:
        self._gate = gate
        self._queries = queries
        self._clock = clock

    @described(
        Operation(
            "getTicketFilters",
            "counts",
            {200: AnswerDescription("Filters and profiles.", FiltersAnswer)} | refusals(*CALLER_ERRORS),
            headers=(CallerHeaders,),
            query=(PerspectiveQuery,),
        )
    )
    async def get(self, request: Request) -> Reply:
        """Answers with the filters and profiles that the caller may use, from the newest catalogue.

        `all` comes first, then statuses and priorities in their order, then filters and profiles by name.
        """
        caller = await self._gate.admit(request)
        perspective = common(request, Query(request.query))
        check_perspective(caller.viewer, perspective)
        view = await self._queries.newest_view(caller.tenant_id, caller.realm)
        filters, profiles = view.listing(caller.viewer, perspective)
        named = [{"id": profile.id, "name": profile.name} for profile in profiles]
        data = {"filters": filters, "profiles": named}
        return success("Ticket filters retrieved successfully", data, self._clock.now_us(), CACHING)
