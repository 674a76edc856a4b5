"""Middleware that turns exceptions of handlers into error envelopes. Never shows internals to a caller."""

import math

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.clock import Clock
from service.domain.tenants.view import InvalidIds, Warming
from service.queries.counts import UnknownTenant
from service.store.ports.budgets import OverBudget
from service.store.ports.errors import StoreUnavailable
from service.web.http.errors import ClientGone, Code, Refused, rate_limited
from service.web.http.replies import refusal, send_reply
from service.web.http.trace import trace_of

log = structlog.stdlib.get_logger(__name__)

UNAVAILABLE_RETRY_S = 2
"""The shortest time that a Redis failover takes, so an earlier retry is in vain. The load of a retry is small."""

WARMING_RETRY_S = 5
"""A backfill of some 100,000 tickets takes seconds. A loading tenant takes minutes, and retries cost little."""


class Failures:
    """Answers each exception of the layers below. Only observation is outside of it."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
            return
        except ClientGone:
            return
        except (Refused, InvalidIds, UnknownTenant, Warming, OverBudget, StoreUnavailable) as error:
            if started:
                raise
            refused = error if isinstance(error, Refused) else translated(error)
        except Exception as error:  # the last resort: the log gets the traceback, the caller gets no detail
            log.exception("request failed", path=scope["path"], method=scope["method"])
            if started:
                raise
            refused = Refused(Code.INTERNAL_ERROR, "Something went wrong on our side", reason=type(error).__name__)
        trace = trace_of(scope)
        trace.refused, trace.reason = refused.code, refused.reason
        reply = refusal(refused, self._clock.now_us())
        # The error's traceback refers to this frame, and this frame to the error. Without this line that cycle would
        # keep the request in memory until a full garbage collection.
        del refused
        await send_reply(reply, send)


def translated(error: InvalidIds | UnknownTenant | Warming | OverBudget | StoreUnavailable) -> Refused:
    """Returns the refusal for an error of the domain, the queries or the store."""
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
    retry = {"retry-after": str(UNAVAILABLE_RETRY_S)}
    return Refused(Code.COUNTS_UNAVAILABLE, "Counts are unavailable for now", headers=retry, reason=str(error))
