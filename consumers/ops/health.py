"""Serves liveness, readiness and metrics over HTTP. Only reads state, never changes it.

It runs in its own thread, so that it can report an event loop that hangs.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from consumers.ops.small_server import serving

LATEST_S = 8.0
"""Largest age of the last success: a dead broker, store or loop is reported within 10 s, and a report that comes every
half second may be late."""


@dataclass(slots=True)
class _Trouble:
    """The error that a part of the consumer retries, and the time of the first failure."""

    cause: str
    since: float


class Health:
    """Derives liveness and readiness from the reports of the consumer's parts. Times are `time.monotonic()` seconds."""

    def __init__(self) -> None:
        self._alive_at = time.monotonic()
        self._fetched_at: float | None = None
        self._stored_at: float | None = None
        self._held_up: tuple[str, float] = ("", 0.0)
        self.catalogue_read = False
        self.stopped = ""
        """Why the consumer is stopped until an operator decides; "" while it runs."""
        self.paused = ""
        """Why the consumer writes nothing for now; "" while it writes."""
        self._troubles: dict[str, _Trouble] = {}

    def alive(self) -> None:
        """Reports that the event loop is running."""
        self._alive_at = time.monotonic()

    def fetched(self, age_s: float) -> None:
        """Reports the largest age, over the assigned partitions, of the last successful fetch."""
        self._fetched_at = time.monotonic() - age_s

    def stored(self) -> None:
        """Reports a successful write to the store."""
        self._stored_at = time.monotonic()

    def trouble(self, part: str, cause: str) -> None:
        """Reports the last error that a part retries; "" when the last attempt succeeded."""
        if not cause:
            self._troubles.pop(part, None)
        elif part in self._troubles:
            self._troubles[part].cause = cause
        else:
            self._troubles[part] = _Trouble(cause, time.monotonic())

    def held_up(self, where: str, since_s: float) -> None:
        """Reports since when an open transaction keeps the records at `where` from being read; "" for none."""
        self._held_up = where, since_s

    def unhealthy(self) -> str:
        """Returns why the process should be restarted; "" if it is healthy."""
        silent_s = time.monotonic() - self._alive_at
        return f"the event loop has been silent for {silent_s:.0f} s" if silent_s > LATEST_S else ""

    def unready(self) -> str:
        """Returns why the counts may be behind; "" if they aren't."""
        if self.stopped:
            return self.stopped
        if self.paused:
            return self.paused
        if silent := self.unhealthy():
            return silent
        symptom = self._symptom()
        causes = self._causes(0.0 if symptom else LATEST_S)  # without a symptom, a short error isn't worth reporting
        return "; ".join(causes) or symptom

    def _symptom(self) -> str:
        """Returns the first overdue condition; "" if there is none."""
        if not self.catalogue_read:
            return "the catalogue is not read to its end yet"
        for action, last_at in (("fetch from Kafka", self._fetched_at), ("write to Redis", self._stored_at)):
            if last_at is None:
                return f"no successful {action} yet"
            age_s = time.monotonic() - last_at
            if age_s > LATEST_S:
                return f"the last successful {action} was {age_s:.0f} s ago"
        where, since_s = self._held_up
        open_s = time.monotonic() - since_s
        if where and open_s > LATEST_S:
            return f"an open transaction of a publisher holds up {where}, for {open_s:.0f} s"
        return ""

    def _causes(self, longer_than_s: float) -> list[str]:
        """Returns the errors of the parts that have been retrying for longer than this."""
        now = time.monotonic()
        return [
            f"{part} has been trying again for {now - one.since:.0f} s after: {one.cause}"
            for part, one in sorted(self._troubles.items())
            if now - one.since > longer_than_s
        ]


@contextmanager
def serve(health: Health, registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serves /healthz, /readyz and /metrics while the context is open; yields the port. Raises CannotServe."""
    with serving(_application(health, registry), host, port) as served_at:
        yield served_at


def _application(health: Health, registry: CollectorRegistry) -> WSGIApplication:
    metrics: WSGIApplication = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start)
        problems = {"/healthz": health.unhealthy, "/readyz": health.unready}
        if path not in problems:
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"not found\n"]
        problem = problems[path]()
        start("503 Service Unavailable" if problem else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{problem or 'ok'}\n".encode()]

    return answer
