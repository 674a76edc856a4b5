"""Middleware that turns what handlers raise into error envelopes. Never tells a caller about the inside."""

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
"""What a Redis failover takes at best: sooner is in vain, and a client alone is no storm."""

WARMING_RETRY_S = 5
"""A fill of some 100,000 tickets takes seconds; a loading tenant takes minutes and may be asked often."""


class Failures:
    """The outermost layer but for observation: below it an exception is an answer."""

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
        except Exception as error:  # the last resort: logged whole, answered without a word about it
            log.exception("request failed", path=scope["path"], method=scope["method"])
            if started:
                raise
            refused = Refused(Code.INTERNAL_ERROR, "Something went wrong on our side", reason=type(error).__name__)
        trace = trace_of(scope)
        trace.refused, trace.reason = refused.code, refused.reason
        reply = refusal(refused, self._clock.now_us())
        # Its traceback has this frame, which has it: a cycle that would hold the request until a full collection.
        del refused
        await send_reply(reply, send)


def translated(error: InvalidIds | UnknownTenant | Warming | OverBudget | StoreUnavailable) -> Refused:
    """The refusal that an error from below stands for."""
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
