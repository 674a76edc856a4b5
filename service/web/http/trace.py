"""What is known of a request while it is served, for its access log line. Never holds a token, a query or a body."""

from collections.abc import MutableMapping
from typing import Any

import msgspec

SCOPE_KEY = "ticket_counts.trace"


class Trace(msgspec.Struct):
    """Filled in by whoever learns something; empty texts are left out of the log."""

    tenant: str = ""
    realm: str = ""
    user: str = ""
    support_request: bool | None = None
    streaming: bool = False
    """Whether the answer goes on for as long as the client likes: its duration says nothing about us."""
    refused: str = ""
    """The code of the refusal, and why in words that the caller isn't told."""
    reason: str = ""


def trace_of(scope: MutableMapping[str, Any]) -> Trace:
    """The trace of the request with this ASGI scope, begun here when nobody has before."""
    trace = scope.get(SCOPE_KEY)
    if not isinstance(trace, Trace):
        trace = scope[SCOPE_KEY] = Trace()
    return trace
