"""The access log fields of a request while it is served. Never holds a token, a query or a body."""

from collections.abc import MutableMapping
from typing import Any

import msgspec

SCOPE_KEY = "ticket_counts.trace"


class Trace(msgspec.Struct):
    """Each layer fills in what it knows. Empty texts are left out of the log."""

    tenant: str = ""
    realm: str = ""
    user: str = ""
    support_request: bool | None = None
    streaming: bool = False
    """Whether the answer is a stream: the client decides its duration, so it isn't measured."""
    refused: str = ""
    """The code of the refusal, and a reason that only the log gets."""
    reason: str = ""


def trace_of(scope: MutableMapping[str, Any]) -> Trace:
    """The trace of the request with this ASGI scope, begun here when nobody has before."""
    trace = scope.get(SCOPE_KEY)
    if not isinstance(trace, Trace):
        trace = scope[SCOPE_KEY] = Trace()
    return trace
