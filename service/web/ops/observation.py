"""Middleware that measures and logs every request. Never changes an answer."""

import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.clock import Clock
from service.web.http.trace import trace_of
from service.web.ops.access_log import AccessLog
from service.web.ops.metrics import OTHER, HttpMetrics

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

LONGEST_PATH = 200
"""Longest path in the log, in characters: known paths are shorter."""

CLIENT_GONE = 499
"""Status in logs and metrics when the client left before its answer, as in nginx."""


class Observation:
    """The outermost middleware. `paths` are the known paths: only they become label values."""

    def __init__(
        self, app: ASGIApp, metrics: HttpMetrics, access_log: AccessLog | None, clock: Clock, paths: Collection[str]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log
        self._clock = clock
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = CLIENT_GONE

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        began = time.perf_counter()
        trace = trace_of(scope)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, observed_send)
        finally:
            self._metrics.in_flight.dec()
            duration_s = time.perf_counter() - began
            path, method = scope["path"], scope["method"]
            self._metrics.answered(
                path if path in self._paths else OTHER,
                method if method in METHODS else OTHER,
                status,
                None if trace.streaming else duration_s,
            )
            if self._access_log is not None:
                client = scope.get("client")
                address = client[0] if client else ""
                self._access_log.record(
                    self._clock.now_us(), method, path[:LONGEST_PATH], address, status, duration_s, trace
                )
