"""`POST …/count/stream-ticket`: a secret for one stream, because `EventSource` can't send headers.

A ticket is spent once. Whoever spends it gets a cookie of its own, named after the ticket so that two tabs never
meet, with which the browser's reconnects to the same URL go on until the token ends. No token stands in a URL.
A user has a few tickets and cookies at a time; with one more, what was used least recently is good no longer.
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
"""A page opens its stream at once; what isn't spent by then was lost."""


FORM = re.compile(r"(?P<owner>[0-9a-f]{16})\.[A-Za-z0-9_-]{32}")
"""Of a ticket: whose it is, which says where it is kept, and its secret."""


class Allowed(msgspec.Struct, frozen=True, array_like=True):
    """What a ticket or its cookie lets a stream show."""

    caller: Caller
    asked: CountParameters


class Redeemed(msgspec.Struct, frozen=True):
    """What is allowed, and the cookie to set; "" where the caller has it already."""

    allowed: Allowed
    cookie: str


_decode = msgspec.msgpack.Decoder(Allowed).decode
_encode = msgspec.msgpack.Encoder(order="deterministic").encode


class StreamTickets:
    """Gives tickets and takes them, for pages of these `origins` too; `most` of a user. Raises StoreUnavailable."""

    def __init__(
        self, store: GrantStore, queries: CountQueries, clock: Clock, path: str, origins: Collection[str], most: int
    ) -> None:
        self._store = store
        self._queries = queries
        self._clock = clock
        self._path = path
        self._origins = origins
        self._most = most

    async def give(self, caller: Caller, asked: CountParameters) -> tuple[str, int]:
        """A ticket, and for how many seconds it is good."""
        owner = owner_of(caller.realm, caller.viewer.user)
        ticket = f"{owner}.{new_secret()}"
        left_ms = self._left_ms(caller.expires_at)
        lives = Lives(min(TICKET_MS, left_ms), left_ms)
        await self._store.put_grant(owner, name_of("ticket", ticket), _granted(caller, asked), lives, self._most)
        return ticket, max(1, lives.ttl_ms // 1000)

    async def redeem(self, ticket: str, request: Request) -> Redeemed:
        """What the ticket allows. Raises Refused for one that is unknown, or spent by somebody else.

        Raises Warming where the store may have lost it, with everything else.
        """
        form = FORM.fullmatch(ticket)
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
        """Until the token ends, without leeway. Raises Refused when it has."""
        left_ms = (expires_at - self._clock.now_us()) // 1000
        if left_ms <= 0:
            raise unauthorized("the token has expired", token_given=True)
        return left_ms

    def _set_cookie(self, request: Request, name: str, secret: str, left_ms: int) -> str:
        # A page of another site sends none but a cookie for all sites, which browsers take over TLS alone; where they
        # keep third parties out, one for that page's site alone (Partitioned).
        elsewhere = (request.header(b"origin") or b"").decode("latin-1") in self._origins
        same_site = "Lax" if not _is_secure(request) else "None; Secure; Partitioned" if elsewhere else "Lax; Secure"
        return f"{name}={secret}; Path={self._path}; Max-Age={left_ms // 1000}; HttpOnly; SameSite={same_site}"


def _granted(caller: Caller, asked: CountParameters) -> Grant:
    """The token's end stands beside what is allowed: that is then the same for every ticket to the same dashboard."""
    timeless = msgspec.structs.replace(caller, expires_at=0)
    return Grant(_encode(Allowed(timeless, asked)), str(caller.expires_at))


def _allowed(grant: Grant) -> Allowed:
    allowed = _decode(grant.content)
    caller = msgspec.structs.replace(allowed.caller, expires_at=int(grant.until))
    return msgspec.structs.replace(allowed, caller=caller)


def _cookie_name(ticket: str) -> str:
    return "stream-" + hashlib.sha256(ticket.encode()).hexdigest()[:16]


def _cookie(request: Request, name: str) -> str | None:
    """The value of a cookie of ours. Others on the host may be of any form, so they are only skipped."""
    for pair in b";".join(request.all(b"cookie")).decode("latin-1").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            return value
    return None


def _is_secure(request: Request) -> bool:
    """Over TLS, here or at the first proxy: who lies about it only gets a cookie that plain HTTP won't carry."""
    forwarded = (request.header(b"x-forwarded-proto") or b"").partition(b",")[0].strip().lower()
    return request.scope.get("scheme") == "https" or forwarded == b"https"
