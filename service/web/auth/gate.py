"""Authenticates callers and limits their rates, in the promised order of checks. Never reads a query or a body."""

import re

import msgspec

from service.clock import Clock
from service.config.settings import ServiceSettings
from service.domain.catalogue.catalogue import Realm
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tickets.ids import is_id, is_tenant_id
from service.domain.tickets.ticket import Instant
from service.queries.counts import CountQueries
from service.web.auth.claims import BadToken, Identity
from service.web.auth.limits import RateLimit, caller_address
from service.web.auth.tokens import Tokens
from service.web.http.errors import Code, Refused, head_too_large, invalid, rate_limited, unauthorized
from service.web.http.requests import Request

MAX_TOKEN_BYTES = 49_152
"""A token with 500 teams takes 26 KiB. The limit of all headers leaves 16 KiB for the others."""

BEARER = re.compile(rb"bearer +([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE)
"""The form of the header (RFC 6750 section 2.1); the scheme in any letter case (RFC 9110 section 11.1)."""


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller, and the tenant of the request."""

    tenant_id: str
    realm: str
    viewer: Viewer
    expires_at: Instant
    """The token's `exp`, in microseconds since the epoch."""


class Gate:
    """Admits callers. Use one per process: it holds the verified tokens and the rates."""

    def __init__(self, queries: CountQueries, settings: ServiceSettings, clock: Clock) -> None:
        self._queries = queries
        self._clock = clock
        self._tokens = Tokens(settings.token_cache_entries)
        self._addresses = RateLimit(settings.address_requests_per_min)
        self._credentials = RateLimit(settings.credential_requests_per_min)

    async def admit(self, request: Request) -> Caller:
        """Returns the caller of a request. Raises Refused, UnknownTenant and StoreUnavailable.

        Checks in this order: address rate, form of the token, headers, realm, token, tenant, role, user rate.
        """
        now = self._clock.now_us()
        self.check_address(request)
        token = _bearer_token(request)
        tenant_id, realm_name = _tenant_id(request), _realm_name(request)
        request.trace.tenant, request.trace.realm = tenant_id, realm_name
        realm = await self._queries.realm(realm_name)
        if realm is None:
            raise _unknown_realm()
        caller = await self._identify(realm, token, now)
        request.trace.user = caller.user
        await self._queries.view(tenant_id, realm_name)
        if caller.tenants is not None and tenant_id not in caller.tenants:
            raise Refused(Code.FORBIDDEN, "The token is not good for this tenant")
        if caller.viewer is None:
            raise Refused(Code.FORBIDDEN, "The token names no role that may see ticket counts")
        wait_s = self._credentials.wait_s((realm_name, caller.user), now)
        if wait_s:
            raise rate_limited(wait_s)
        return Caller(tenant_id, realm_name, caller.viewer, caller.expires_at)

    def check_address(self, request: Request) -> None:
        """Counts the request for the caller's address. Raises Refused when the address is over its limit."""
        wait_s = self._addresses.wait_s(caller_address(request.scope), self._clock.now_us())
        if wait_s:
            raise rate_limited(wait_s)

    async def _identify(self, realm: Realm, token: bytes, now: Instant) -> Identity:
        """Verifies the token with the cached realm. Before refusing it, verifies it again with the newest realm."""
        try:
            return self._tokens.verify(realm, token, now)
        except BadToken as bad:
            newest = await self._queries.newest_realm(realm.name)
            if newest is None:
                raise _unknown_realm() from None
            if newest is realm:
                raise unauthorized(str(bad), token_given=True) from None
        try:
            return self._tokens.verify(newest, token, now)
        except BadToken as bad:
            raise unauthorized(str(bad), token_given=True) from None


def check_perspective(viewer: Viewer, perspective: Perspective) -> None:
    """Raises Refused when the role doesn't allow the perspective. The tenant's view checks filters and profiles."""
    if perspective is Perspective.AGENT and viewer.role is Role.USER:
        raise Refused(Code.FORBIDDEN, "The agent perspective needs ticket_agent or ticket_admin")


def _bearer_token(request: Request) -> bytes:
    sent = request.header(b"authorization")
    if sent is None:
        raise unauthorized("authorization: is missing", token_given=False)
    if request.is_repeated(b"authorization"):
        raise unauthorized("authorization: was sent twice", token_given=True)
    match = BEARER.fullmatch(sent.strip())
    if match is None:
        raise unauthorized("authorization: is no bearer token", token_given=True)
    if len(match[1]) > MAX_TOKEN_BYTES:
        raise head_too_large(f"The token must not be over {MAX_TOKEN_BYTES} bytes")
    return match[1]


def _tenant_id(request: Request) -> str:
    text = _sent_once(request, b"x-tenantid")
    if not is_tenant_id(text):
        raise invalid("x-tenantid", "must be 1 to 64 letters, digits, _ or -")
    return text


def _realm_name(request: Request) -> str:
    text = _sent_once(request, b"realmname")
    if not is_id(text):
        raise invalid("realmname", "must be 1 to 128 characters without control characters")
    return text


def _sent_once(request: Request, name: bytes) -> str:
    """Returns the text of a header that must be sent exactly once. Raises Refused.

    Decodes it as UTF-8, and as Latin-1 where that fails: browsers and libraries send either.
    """
    value = request.header(name)
    if value is None:
        raise invalid(name.decode(), "is missing")
    if request.is_repeated(name):
        raise invalid(name.decode(), "must be sent once")
    value = value.strip()
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _unknown_realm() -> Refused:
    return Refused(Code.REALM_NOT_FOUND, "The realm does not exist")
