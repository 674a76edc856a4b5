"""Writes one JSON line per request. Never logs a query, a body, a token, or any address but the caller's.

It bypasses the logging library, where a line costs as much as a third of an answer; here it costs some microseconds.
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
    """Writes the line to standard error, like the other log lines of the process."""
    sys.stderr.write(line)


class AccessLog:
    """Formats log lines and hands them to `write`."""

    def __init__(self, write: Write = to_stderr) -> None:
        self._write = write

    def record(
        self, now: Instant, method: str, path: str, address: str, status: int, duration_s: float, trace: Trace
    ) -> None:
        """Writes the line of one request. `path` has no query. The caller's ids are left out until they are known."""
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
