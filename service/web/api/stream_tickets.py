"""Issues and redeems stream tickets: secrets for one stream, because `EventSource` can't send headers.

A ticket can be redeemed once. Its first use sets a cookie, with which the browser reconnects to the same URL until the
token expires. The cookie is named after the ticket, so that two tabs have different ones. No URL contains a token. The
tickets and cookies of a user are limited; a further one invalidates the least recently used one.
"""

import hashlib
import re
from collections.abc import Collection

import msgspec

from service.clock import Clock
from service.domain.tickets.ticket import Instant
from service.queries.counts import CountQueries
from service.store.ports.grants import Grant, GrantStore, Lives, name_of, new_secret, owner_of
from service.web.api.parameters import CountParameters
from service.web.auth.gate import Caller
from service.web.http.errors import Refused, unauthorized
from service.web.http.requests import Request

TICKET_MS = 60_000
"""Lifetime of a ticket. A page opens its stream at once, so a ticket that isn't redeemed by then is lost."""

TICKET_FORM = re.compile(r"(?P<owner>[0-9a-f]{16})\.[A-Za-z0-9_-]{32}")
"""The form of a ticket: its owner, which determines where it is stored, and its secret."""


class Allowed(msgspec.Struct, frozen=True, array_like=True):
    """The caller and the count parameters of the stream that a ticket or its cookie allows."""

    caller: Caller
    parameters: CountParameters


class Redeemed(msgspec.Struct, frozen=True):
    """The stream that is allowed, and the cookie to set; "" when the client has the cookie already."""

    allowed: Allowed
    cookie: str


_decode = msgspec.msgpack.Decoder(Allowed).decode
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class StreamTickets:
    """Issues and redeems tickets, at most `most` per user, also for pages of `origins`. Raises StoreUnavailable."""

    def __init__(
        self, store: GrantStore, queries: CountQueries, clock: Clock, path: str, origins: Collection[str], most: int
    ) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock
        self._path = path
        self._origins = origins
        self._most = most

    async def give(self, caller: Caller, parameters: CountParameters) -> tuple[str, int]:
        """Returns a new ticket, and for how many seconds it is valid."""
        owner = owner_of(caller.realm, caller.viewer.user)
        ticket = f"{owner}.{new_secret()}"
        left_ms = self._left_ms(caller.expires_at)
        lives = Lives(min(TICKET_MS, left_ms), left_ms)
        await self._store.put_grant(owner, name_of("ticket", ticket), _granted(caller, parameters), lives, self._most)
        return ticket, max(1, lives.ttl_ms // 1000)

    async def redeem(self, ticket: str, request: Request) -> Redeemed:
        """Returns the stream that the ticket allows.

        Raises Refused for a ticket that is unknown, or that another client has redeemed. Raises Warming when the store
        doesn't have the catalogue: it may have lost the ticket with all other data.
        """
        form = TICKET_FORM.fullmatch(ticket)
        if form is None:
            raise await self._unknown()
        owner, cookie = form["owner"], _cookie_name(ticket)
        held = _cookie(request, cookie)
        if held is not None:
            kept = await self._store.grant(owner, name_of("cookie", ticket + held))
            if kept is not None:
                return Redeemed(_allowed(kept), "")
        secret = new_secret()
        names = name_of("ticket", ticket), name_of("cookie", ticket + secret)
        taken = await self._store.exchange_grant(owner, *names)
        if taken is None:
            raise await self._unknown()
        allowed = _allowed(taken)
        return Redeemed(allowed, self._set_cookie(request, cookie, secret, self._left_ms(allowed.caller.expires_at)))

    async def _unknown(self) -> Refused:
        await self._queries.check_catalogue()
        return unauthorized("ticket: unknown or spent", token_given=True)

    def _left_ms(self, expires_at: Instant) -> int:
        """Returns the milliseconds until the token expires, without leeway. Raises Refused when it has expired."""
        left_ms = (expires_at - self._clock.now_us()) // 1000
        if left_ms <= 0:
            raise unauthorized("the token has expired", token_given=True)
        return left_ms

    def _set_cookie(self, request: Request, name: str, secret: str, left_ms: int) -> str:
        # From a page of another site, browsers send a cookie only with SameSite=None, which needs TLS. Browsers that
        # block third-party cookies need Partitioned too: the cookie is then only for pages of that site.
        elsewhere = (request.header(b"origin") or b"").decode("latin-1") in self._origins
        same_site = "Lax" if not _is_secure(request) else "None; Secure; Partitioned" if elsewhere else "Lax; Secure"
        return f"{name}={secret}; Path={self._path}; Max-Age={left_ms // 1000}; HttpOnly; SameSite={same_site}"


def _granted(caller: Caller, parameters: CountParameters) -> Grant:
    """Keeps the expiry apart from the content, which is then the same for all tickets to the same dashboard."""
    timeless = msgspec.structs.replace(caller, expires_at=0)
    return Grant(_encode(Allowed(timeless, parameters)), str(caller.expires_at))


def _allowed(grant: Grant) -> Allowed:
    allowed = _decode(grant.content)
    caller = msgspec.structs.replace(allowed.caller, expires_at=int(grant.until))
    return msgspec.structs.replace(allowed, caller=caller)


def _cookie_name(ticket: str) -> str:
    return "stream-" + hashlib.sha256(ticket.encode()).hexdigest()[:16]


def _cookie(request: Request, name: str) -> str | None:
    """Returns the value of a cookie, None where there is none. Skips others, which may have any form."""
    for pair in b";".join(request.all(b"cookie")).decode("latin-1").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            return value
    return None


def _is_secure(request: Request) -> bool:
    """Whether the client uses TLS, to this process or to the first proxy.

    A client that lies about it only gets a cookie that it can't send over plain HTTP.
    """
    forwarded = (request.header(b"x-forwarded-proto") or b"").partition(b",")[0].strip().lower()
    return request.scope.get("scheme") == "https" or forwarded == b"https"
