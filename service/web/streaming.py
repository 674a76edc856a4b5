"""`GET` and `POST …/ticket/count/stream`: admits, then hands over to the stream. Never reads a count."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from sse_starlette import EventSourceResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import Clock
from service.settings import Settings
from service.store.grants import GrantStore
from service.web.asking import Asked, asked_in_body, asked_in_query
from service.web.count import PATH as COUNT_PATH
from service.web.count import wanted
from service.web.errors import unauthorized
from service.web.gate import Caller, Gate
from service.web.push.frames import frame
from service.web.push.hub import Hub
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

    def __init__(self, gate: Gate, hub: Hub, grants: GrantStore, settings: Settings, clock: Clock) -> None:
        self._gate = gate
        self._hub = hub
        self._tickets = StreamTickets(grants, clock, PATH)
        self._most = settings.streams
        self._clock = clock

    async def ticket(self, request: Request) -> Reply:
        """A ticket for the stream that the body asks for; refused as the stream itself would be."""
        caller = await self._gate.admit(request)
        asked = await asked_in_body(request)
        async with self._hub.seat(self._key(caller, asked)):
            ticket, expires_in_s = await self._tickets.give(caller, asked)
        data = {"ticket": ticket, "expiresIn": expires_in_s}
        return success("Stream ticket created", data, self._clock.now_us(), [(b"cache-control", b"no-store")])

    async def post(self, request: Request) -> ASGIApp:
        """The stream that the body asks for."""
        caller = await self._gate.admit(request)
        return await self._open(request, caller, await asked_in_body(request), {})

    async def get(self, request: Request) -> ASGIApp:
        """The stream that the query asks for, or the one that its ticket was given for."""
        ticket = Query(request.query).one("ticket")
        if ticket is None:
            caller = await self._gate.admit(request)
            return await self._open(request, caller, asked_in_query(request), {})
        self._gate.check_address(request)
        redeemed = await self._tickets.redeem(ticket, request)
        headers = {"set-cookie": redeemed.cookie} if redeemed.cookie else {}
        caller = redeemed.grant.caller
        request.trace.tenant, request.trace.realm = caller.tenant_id, caller.realm
        request.trace.user = caller.viewer.user
        return await self._open(request, caller, redeemed.grant.asked, headers)

    async def _open(self, request: Request, caller: Caller, asked: Asked, headers: Headers) -> ASGIApp:
        if caller.expires_at <= self._clock.now_us():  # tokens have some leeway elsewhere, streams have none
            raise unauthorized("the token has expired", token_given=True)
        terms = Terms(caller.expires_at, _last_event_id(request))
        async with AsyncExitStack() as stack:
            seat = await stack.enter_async_context(self._hub.seat(self._key(caller, asked)))
            if self._hub.draining or self._hub.seats > self._most:
                return _response(_refused("drain" if self._hub.draining else "overload"), headers)
            stream = _response(blocks(seat, self._hub, terms, self._clock), headers)
            return _Seated(stream, stack.pop_all())

    def _key(self, caller: Caller, asked: Asked) -> ViewKey:
        return ViewKey(caller.tenant_id, caller.realm, wanted(caller.viewer, asked), asked.timezone)


class _Seated:
    """A response that gives its place in the view back, however it ends."""

    def __init__(self, response: ASGIApp, place: AsyncExitStack) -> None:
        self._response = response
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._place:
            await self._response(scope, receive, send)


async def _refused(reason: str) -> AsyncIterator[bytes]:
    """Softly: any other status than 200 would end an `EventSource` for good."""
    yield frame("bye", "", {"reason": reason, "version": ""}, retry_ms())


def _response(stream: AsyncIterator[bytes], headers: Headers) -> EventSourceResponse:
    # Heartbeats are ours: they carry data, and only where nothing else was sent.
    return EventSourceResponse(stream, headers=headers, ping=0)


def _last_event_id(request: Request) -> str:
    """As a header, or in the query for clients that can't send it. Garbage is as good as none."""
    sent = request.header(b"last-event-id")
    if sent is not None:
        return sent.decode("latin-1")
    return next(iter(Query(request.query).all("last_event_id")), "")
