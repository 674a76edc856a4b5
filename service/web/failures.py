"""The table of exception handlers: each error that is expected, as an error envelope. Never shows internals."""

import math
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as Connection

from service.clock import Clock
from service.domain.tenants.view import InvalidIds, Warming
from service.queries.counts import UnknownTenant
from service.store.ports.budgets import OverBudget
from service.store.ports.errors import StoreUnavailable
from service.web.http.errors import Code, Refused, internal_error, rate_limited
from service.web.http.replies import Reply, refusal
from service.web.http.trace import trace_of

UNAVAILABLE_RETRY_S = 2
"""The shortest time that a Redis failover takes, so an earlier retry is in vain. The load of a retry is small."""

WARMING_RETRY_S = 5
"""A backfill of some 100,000 tickets takes seconds. A loading tenant takes minutes, and retries cost little."""

ANSWERED = (Refused, InvalidIds, UnknownTenant, Warming, OverBudget, StoreUnavailable, HTTPException, ClientDisconnect)
"""The errors that a request may raise. Any other one is a bug."""


def exception_handlers(clock: Clock) -> dict[Any, Callable[[Connection, Exception], Any]]:
    """The table for Starlette: one handler for all errors that are expected, and one for the rest."""

    async def answer(request: Connection, error: Exception) -> Reply | None:
        if isinstance(error, ClientDisconnect):  # before its request was complete, so no answer is sent
            return None
        refused = error if isinstance(error, Refused) else translated(error)
        trace = trace_of(request.scope)
        trace.refused, trace.reason = refused.code, refused.reason
        return refusal(refused, clock.now_us())

    async def unexpected(request: Connection, error: Exception) -> Reply:
        """For what goes wrong outside of a handler: Starlette raises it again, and the server logs it."""
        return refusal(internal_error(error), clock.now_us())

    return {**dict.fromkeys(ANSWERED, answer), Exception: unexpected}


def translated(error: Exception) -> Refused:
    """Returns the refusal for an error of the router, the domain, the queries or the store."""
    if isinstance(error, OverBudget):
        return rate_limited(math.ceil(error.wait_s), reason=str(error))
    if isinstance(error, InvalidIds):
        details = {"invalidIds": list(error.ids)}
        message = "One or more filter IDs are invalid"
        return Refused(Code.INVALID_FILTER_ID, message, details=details, reason=f"{len(error.ids)} ids are invalid")
    if isinstance(error, UnknownTenant):
        return Refused(Code.TENANT_NOT_FOUND, "The tenant does not exist")
    if isinstance(error, Warming):
        retry = {"retry-after": str(WARMING_RETRY_S)}
        return Refused(Code.COUNTS_WARMING, "These counts are still being filled", headers=retry, reason=str(error))
    if isinstance(error, HTTPException):
        return _of_router(error)
    retry = {"retry-after": str(UNAVAILABLE_RETRY_S)}
    return Refused(Code.COUNTS_UNAVAILABLE, "Counts are unavailable for now", headers=retry, reason=str(error))


def _of_router(error: HTTPException) -> Refused:
    if error.status_code == 404:
        return Refused(Code.NOT_FOUND, "There is nothing at this path")
    allowed = sorted((error.headers or {})["Allow"].split(", "))  # the router has them in any order
    return Refused(Code.METHOD_NOT_ALLOWED, "The method is not allowed here", headers={"allow": ", ".join(allowed)})
