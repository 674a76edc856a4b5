"""`GET` and `POST …/ticket/count/stream`, `POST …/stream-ticket`: admits, then opens the stream. Never counts."""

import re

import msgspec
from starlette.types import ASGIApp

from service.clock import Clock
from service.config.origins import origins_in
from service.config.settings import ServiceSettings
from service.queries.counts import CountQueries
from service.store.ports.budgets import BudgetStore, Charge, Claim, OverBudget, Quota, Rate
from service.store.ports.grants import GrantStore, owner_of
from service.web.api.count import PATH as COUNT_PATH
from service.web.api.count import count_request_of
from service.web.api.parameters import CountParameters, parameters_in_body, parameters_in_query
from service.web.api.stream_tickets import StreamTickets
from service.web.auth.gate import Caller, Gate
from service.web.auth.limits import caller_address
from service.web.http.endpoint import Endpoint
from service.web.http.errors import Code, unauthorized
from service.web.http.query import Query
from service.web.http.replies import Headers, Reply, success
from service.web.http.requests import Request
from service.web.models.answers import STREAM_EVENTS, StreamTicketAnswer
from service.web.models.operation import BODY_ERRORS, CALLER_ERRORS, AnswerDescription, Operation, described, refusals
from service.web.models.requests import (
    CallerHeaders,
    CountBody,
    FilterIdsQuery,
    LastEventHeaders,
    LastEventQuery,
    PerspectiveQuery,
    StreamTicketQuery,
)
from service.web.push.hub import Hub
from service.web.push.live_view import ViewKey
from service.web.push.stream import Terms
from service.web.push.stream_limiter import StreamOwner

PATH = f"{COUNT_PATH}/stream"
TICKET_PATH = f"{COUNT_PATH}/stream-ticket"

TICKETS_PER_MIN = 6
"""New stream tickets a minute for each that a user may have. A page requests one when it loads, and after that only
when its token has expired."""

TENANT_USERS = 100
"""A tenant's budget of tickets, as a multiple of one user's: by default 200 tickets a second."""

FULL_RETRY_S = 60
"""`Retry-After` when a tenant has too many users with tickets. Tokens expire all the time, so room comes soon."""

TICKET = re.compile(rb"(?:\A|&)ticket(?:[=&]|\Z)")


EVENTS = AnswerDescription(
    "Server-sent events: first `snapshot` or `current`, then `counts`, `heartbeat`, at last `bye`.",
    media_types=("text/event-stream",),
    events=STREAM_EVENTS,
)


class Streaming(Endpoint):
    """The endpoint of the stream. Issues its tickets too."""

    is_stream = True

    def __init__(
        self,
        gate: Gate,
        queries: CountQueries,
        hub: Hub,
        grants: GrantStore,
        budgets: BudgetStore,
        settings: ServiceSettings,
        clock: Clock,
    ) -> None:
        self._gate = gate
        self._queries = queries
        self._hub = hub
        self._tickets = StreamTickets(
            grants, queries, clock, PATH, origins_in(settings.cors_origins), settings.stream_tickets_per_user
        )
        self._budgets = budgets
        of_user = TICKETS_PER_MIN * settings.stream_tickets_per_user
        self._rates = tuple(
            Rate(name, times * of_user, times * of_user)
            for name, times in (("tickets", 1), ("tenant-tickets", TENANT_USERS))
        )
        self._ticket_users = Quota("ticket-users", settings.stream_ticket_users_per_tenant)
        self._clock = clock
        self._token_life_us = settings.stream_token_life_s * 1_000_000

    async def ticket(self, request: Request) -> Reply:
        """Issues a ticket for the stream that the body requests; refuses it as it would refuse the stream."""
        caller = await self._admit(request)
        await self._spend(caller)
        parameters = await parameters_in_body(request)
        await self._queries.answer(caller.tenant_id, caller.realm, count_request_of(caller.viewer, parameters))
        await self._claim(caller)
        ticket, expires_in_s = await self._tickets.give(caller, parameters)
        data = {"ticket": ticket, "expiresIn": expires_in_s}
        return success("Stream ticket created", data, self._clock.now_us(), [(b"cache-control", b"no-store")])

    @described(
        Operation(
            "postTicketCountStream",
            "counts",
            {200: EVENTS} | refusals(*CALLER_ERRORS, *BODY_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders, LastEventHeaders),
            query=(PerspectiveQuery, LastEventQuery),
            body=CountBody,
        )
    )
    async def post(self, request: Request) -> ASGIApp:
        """Opens the stream that the body requests.

        It ends at the token's expiry, and each id names what the client then shows.
        """
        caller = await self._admit(request)
        parameters = await parameters_in_body(request)
        return await self._open(request, caller, parameters, _last_event_id(request), "token", [])

    @described(
        Operation(
            "getTicketCountStream",
            "counts",
            {200: EVENTS} | refusals(*CALLER_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders, LastEventHeaders),
            query=(FilterIdsQuery, StreamTicketQuery, LastEventQuery),
            token=None,
        )
    )
    async def get(self, request: Request) -> ASGIApp:
        """Opens the stream that the query requests, or that its ticket allows.

        It takes either all headers and parameters of the count, or a ticket and nothing else: `EventSource` can't send
        headers.
        """
        if not _has_ticket(request):
            caller = await self._admit(request)
            return await self._open(request, caller, parameters_in_query(request), _last_event_id(request), "token", [])
        self._gate.check_address(request)
        ticket, last_event_id = Query(request.query).one("ticket") or "", _last_event_id(request)
        redeemed = await self._tickets.redeem(ticket, request)
        headers = [(b"set-cookie", redeemed.cookie.encode())] if redeemed.cookie else []
        caller = redeemed.allowed.caller
        request.trace.tenant, request.trace.realm = caller.tenant_id, caller.realm
        request.trace.user = caller.viewer.user
        return await self._open(request, caller, redeemed.allowed.parameters, last_event_id, "ticket", headers)

    async def _spend(self, caller: Caller) -> None:
        """Charges one ticket to the budgets of the user and the tenant. Raises OverBudget."""
        of_user, of_tenant = self._rates
        charges = [Charge(of_user, caller.viewer.user), Charge(of_tenant, "")]
        wait_s = await self._budgets.spend(caller.tenant_id, charges)
        if wait_s:
            raise OverBudget("too many stream tickets", wait_s)

    async def _claim(self, caller: Caller) -> None:
        """Claims or keeps the user's place among the tenant's users with tickets. Raises OverBudget.

        A user has one place for any number of tickets, so that none takes the places of others.
        """
        left_ms = max(1, (caller.expires_at - self._clock.now_us()) // 1_000)
        user = owner_of(caller.realm, caller.viewer.user)
        if not await self._budgets.claim(caller.tenant_id, [Claim(self._ticket_users, "")], user, left_ms):
            raise OverBudget("too many users with stream tickets", FULL_RETRY_S)

    async def _admit(self, request: Request) -> Caller:
        """Returns the caller; it expires at the latest when a token that was sent now stops keeping streams open."""
        caller = await self._gate.admit(request)
        if not self._token_life_us:
            return caller
        latest = self._clock.now_us() + self._token_life_us
        return msgspec.structs.replace(caller, expires_at=min(caller.expires_at, latest))

    async def _open(
        self,
        request: Request,
        caller: Caller,
        parameters: CountParameters,
        last_event_id: str,
        kind: str,
        headers: Headers,
    ) -> ASGIApp:
        if caller.expires_at <= self._clock.now_us():  # while the body arrived, or since the ticket
            raise unauthorized("the token has expired", token_given=True)
        key = ViewKey(caller.tenant_id, caller.realm, count_request_of(caller.viewer, parameters), parameters.timezone)
        terms = Terms(caller.expires_at, last_event_id, kind, headers)
        owner = StreamOwner(caller.realm, caller.viewer.user, caller_address(request.scope), caller.tenant_id)
        async with self._hub.view(key) as (view, state):
            request.trace.streaming = True
            return self._hub.open(view, state, terms, owner) or self._hub.turned_away(state, terms)


class Ticketing(Endpoint):
    """The endpoint of the stream's tickets."""

    def __init__(self, streaming: Streaming) -> None:
        self._streaming = streaming

    @described(
        Operation(
            "postTicketCountStreamTicket",
            "counts",
            {200: AnswerDescription("The ticket.", StreamTicketAnswer)}
            | refusals(*CALLER_ERRORS, *BODY_ERRORS, Code.INVALID_FILTER_ID),
            headers=(CallerHeaders,),
            query=(PerspectiveQuery,),
            body=CountBody,
        )
    )
    async def post(self, request: Request) -> Reply:
        """Issues a ticket for the stream that the body requests.

        It is spent once, within `expiresIn` seconds; a cookie of its own then keeps reconnects to the same URL working
        until the token expires.
        """
        return await self._streaming.ticket(request)


def _has_ticket(request: Request) -> bool:
    """Whether the query has a ticket, valid or not. Reads no more of it: authorization precedes validation."""
    return TICKET.search(request.query) is not None


def _last_event_id(request: Request) -> str:
    """Returns the last event id, from the header, or from the query for clients that can't send the header.

    Its form isn't checked: an id that isn't ours is treated as missing.
    """
    sent = request.header(b"last-event-id")
    if sent is not None:
        return sent.decode("latin-1")
    return Query(request.query).garbled("last_event_id")
