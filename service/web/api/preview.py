"""`POST …/ticket/count/preview`: counts a condition that isn't saved. Never goes over tickets itself."""

from service import timezones
from service.clock import Clock
from service.config.settings import ServiceSettings
from service.domain.tickets.instant import format_instant
from service.queries.previews import PreviewQueries, PreviewRequest, Unfinished
from service.store.ports.budgets import BudgetStore, Charge, OverBudget, Rate
from service.store.ports.errors import StoreUnable
from service.web.api.count import PATH as COUNT_PATH
from service.web.api.parameters import EXACT_BODY, perspective_and_body
from service.web.auth.gate import Gate, check_perspective
from service.web.auth.limits import RateLimit
from service.web.http.endpoint import Endpoint
from service.web.http.errors import Code, Refused, rate_limited
from service.web.http.replies import Headers, Reply, success
from service.web.http.requests import Request
from service.web.models.answers import PreviewAnswer
from service.web.models.json_body import JsonBody
from service.web.models.operation import BODY_ERRORS, CALLER_ERRORS, AnswerDescription, Operation, described, refusals
from service.web.models.requests import CallerHeaders, PerspectiveQuery, PreviewBody

PATH = f"{COUNT_PATH}/preview"

CACHING: Headers = [(b"cache-control", b"no-store")]
"""A preview isn't requested twice, so a cached one would be of no use."""


TENANT_SHARE = 10
"""A tenant's rate, as a multiple of one user's: ten users at their full rate use it up."""

PREVIEW_BODY = JsonBody(PreviewBody, EXACT_BODY)


class Previews(Endpoint):
    """The endpoint of the preview. All workers share its rates; each also has a rate of its own, for a full store."""

    def __init__(
        self, gate: Gate, previewing: PreviewQueries, budgets: BudgetStore, settings: ServiceSettings, clock: Clock
    ) -> None:
        per_min = settings.preview_requests_per_min
        self._gate = gate
        self._previewing = previewing
        self._budgets = budgets
        self._rate = RateLimit(per_min)
        self._user_rate = Rate("user-previews", per_min, per_min)
        self._tenant_rate = Rate("tenant-previews", TENANT_SHARE * per_min, TENANT_SHARE * per_min)
        self._clock = clock

    @described(
        Operation(
            "postTicketCountPreview",
            "counts",
            {200: AnswerDescription("The number of tickets.", PreviewAnswer)}
            | refusals(*CALLER_ERRORS, *BODY_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders,),
            query=(PerspectiveQuery,),
            body=PreviewBody,
        )
    )
    async def post(self, request: Request) -> Reply:
        """Answers with the number of tickets that match the body's `where`.

        It goes over the stored tickets, so it is limited in time, in tickets and per user: 503 says which limit was
        met. `details.field` of 400 is the path of the node that doesn't compile.
        """
        caller = await self._gate.admit(request)
        wait_s = self._rate.wait_s((caller.realm, caller.viewer.user), self._clock.now_us())
        if wait_s:
            raise rate_limited(wait_s)
        await self._spend(f"realm {caller.realm}", Charge(self._user_rate, caller.viewer.user))
        await self._spend(caller.tenant_id, Charge(self._tenant_rate, ""))
        perspective, body = await perspective_and_body(request, PREVIEW_BODY)
        zone = body.timezone or timezones.DEFAULT
        preview = PreviewRequest(caller.viewer, perspective, body.where, body.profile_id, zone)
        check_perspective(caller.viewer, perspective)
        try:
            counted = await self._previewing.count(caller.tenant_id, caller.realm, preview)
        except Unfinished as limit:
            retry = {"retry-after": str(limit.retry_after_s)}
            raise Refused(Code.COUNTS_UNAVAILABLE, str(limit), headers=retry) from None
        data = {"count": counted.count, "computedAt": format_instant(counted.now)}
        return success("Ticket count previewed successfully", data, counted.now, CACHING)

    async def _spend(self, scope: str, charge: Charge) -> None:
        try:
            wait_s = await self._budgets.spend(scope, [charge])
        except StoreUnable:  # a full store can still be read
            return
        if wait_s:
            raise OverBudget(charge.rate.name, wait_s)
