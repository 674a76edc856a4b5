"""`GET` and `POST …/ticket/count/stream`: admits, then hands over to the stream. Never reads a count."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from sse_starlette import EventSourceResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import Clock
from service.settings import Settings
from service.store.grants import GrantStore
from service.store.reading import Reading
from service.web.asking import Asked, asked_in_body, asked_in_query
from service.web.count import PATH as COUNT_PATH
from service.web.count import wanted
from service.web.errors import unauthorized
from service.web.gate import Caller, Gate
from service.web.push.hub import Hub, Seat
from service.web.push.live_view import ViewKey
from service.web.push.stream import Terms, blocks, retry_ms
from service.web.query import Query
from service.web.replies import Reply, success
from service.web.requests import Request
from service.web.stream_tickets import StreamTickets

PATH = f"{COUNT_PATH}/stream"
TICKET_PATH = f"{COUNT_PATH}/stream-ticket"

Headers = dict[str, str]


class Streaming:
    """The stream's handlers, by method."""

    def __init__(
        self, gate: Gate, reading: Reading, hub: Hub, grants: GrantStore, settings: Settings, clock: Clock
    ) -> None:
        self._gate = gate
        self._reading = reading
        self._hub = hub
        self._tickets = StreamTickets(grants, clock, PATH)
        self._most = settings.streams
        self._clock = clock

    async def ticket(self, request: Request) -> Reply:
        """A ticket for the stream that the body asks for; refused as the stream itself would be."""
        caller = await self._gate.admit(request)
        asked = await asked_in_body(request)
        await self._reading.answer(caller.tenant_id, caller.realm, wanted(caller.viewer, asked))
        ticket, expires_in_s = await self._tickets.give(caller, asked)
        data = {"ticket": ticket, "expiresIn": expires_in_s}
        return success("Stream ticket created", data, self._clock.now_us(), [(b"cache-control", b"no-store")])

    async def post(self, request: Request) -> ASGIApp:
        """The stream that the body asks for."""
        caller = await self._gate.admit(request)
        asked = await asked_in_body(request)
        return await self._open(request, caller, asked, _last_event_id(request))

    async def get(self, request: Request) -> ASGIApp:
        """The stream that the query asks for, or the one that its ticket was given for."""
        if not _has_ticket(request):
            caller = await self._gate.admit(request)
            return await self._open(request, caller, asked_in_query(request), _last_event_id(request))
        self._gate.check_address(request)
        ticket, last_event_id = Query(request.query).one("ticket") or "", _last_event_id(request)
        redeemed = await self._tickets.redeem(ticket, request)
        headers = {"set-cookie": redeemed.cookie} if redeemed.cookie else {}
        caller = redeemed.grant.caller
        request.trace.tenant, request.trace.realm = caller.tenant_id, caller.realm
        request.trace.user = caller.viewer.user
        return await self._open(request, caller, redeemed.grant.asked, last_event_id, headers)

    async def _open(
        self, request: Request, caller: Caller, asked: Asked, last_event_id: str, headers: Headers | None = None
    ) -> ASGIApp:
        if caller.expires_at <= self._clock.now_us():  # while the body came, or the ticket waited
            raise unauthorized("the token has expired", token_given=True)
        terms = Terms(caller.expires_at, last_event_id)
        key = ViewKey(caller.tenant_id, caller.realm, wanted(caller.viewer, asked), asked.timezone)
        async with AsyncExitStack() as stack:
            seat = await stack.enter_async_context(self._hub.seat(key))
            request.trace.streaming = True
            if self._hub.draining or self._hub.seats > self._most:
                reason = "drain" if self._hub.draining else "overload"
                return _response(_turned_away(seat, reason, terms), headers)
            stream = _response(blocks(seat, self._hub, terms, self._clock), headers)
            return _Seated(stream, stack.pop_all())


class _Seated:
    """A response that gives its place in the view back, however it ends."""

    def __init__(self, response: ASGIApp, place: AsyncExitStack) -> None:
        self._response = response
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._place:
            await self._response(scope, receive, send)


async def _turned_away(seat: Seat, reason: str, terms: Terms) -> AsyncIterator[bytes]:
    """Softly: any other status than 200 would end an `EventSource` for good."""
    yield seat.state.turned_away(reason, terms.last_event_id, retry_ms())


def _response(stream: AsyncIterator[bytes], headers: Headers | None) -> EventSourceResponse:
    # Heartbeats are ours: they carry data, and only where nothing else was sent.
    return EventSourceResponse(stream, headers=headers, ping=0)


def _has_ticket(request: Request) -> bool:
    """Whether the query names one, be it a bad one: what is wrong with a query is said after who may not ask."""
    return any(part.partition(b"=")[0] == b"ticket" for part in request.query.split(b"&"))


def _last_event_id(request: Request) -> str:
    """As a header, or in the query for clients that can't send it. Garbage is as good as none."""
    sent = request.header(b"last-event-id")
    if sent is not None:
        return sent.decode("latin-1")
    return Query(request.query).garbled("last_event_id")
