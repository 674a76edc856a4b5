"""One line a request, as JSON. Never has a query, a body, a token or an address beyond the caller's own.

A line through the logging library costs as much as a third of an answer; this one costs some microseconds.
"""

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from service.domain.tickets.instant import format_instant_exactly
from service.domain.tickets.ticket import Instant
from service.one_line import one_line
from service.web.http.trace import Trace

LOGGER = "service.access"

Write = Callable[[str], object]

_encode = msgspec.json.Encoder().encode


def to_stderr(line: str) -> None:
    """Where the process's other log lines go."""
    sys.stderr.write(line)


class AccessLog:
    """Writes a line for each request it is told of."""

    def __init__(self, write: Write = to_stderr) -> None:
        self._write = write

    def record(
        self, now: Instant, method: str, path: str, address: str, status: int, duration_s: float, trace: Trace
    ) -> None:
        """`path` is without its query. Ids of the caller are there when the request came far enough to know them."""
        line: dict[str, Any] = {
            "event": "request",
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round(duration_s * 1000, 3),
            "address": address,
        }
        if trace.tenant:
            line["tenant"] = trace.tenant
        if trace.realm:
            line["realm"] = trace.realm
        if trace.user:
            line["user"] = trace.user
        if trace.support_request is not None:
            line["issupportrequest"] = trace.support_request
        if trace.refused:
            line["refused"] = trace.refused
            line["reason"] = trace.reason
        line |= {
            "logger": LOGGER,
            "level": "info",
            "process": "service",
            "timestamp": format_instant_exactly(now),
        }
        self._write(one_line(_encode(line).decode()) + "\n")
