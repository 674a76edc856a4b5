"""Whether the consumer lives and does its work, and what it measures, over HTTP. Reads state, changes none.

A thread of its own answers, so that an event loop that hangs is seen to hang.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from consumers.ops.small_server import serving

LATEST_S = 8.0
"""Oldest success that still counts: a dead broker, store or loop is said within 10 s, and what is looked at every
half second may be looked at late."""


@dataclass(slots=True)
class _Trouble:
    """What a part of the consumer tries again after, and since when."""

    cause: str
    since: float


class Health:
    """What the parts of the consumer report, and what follows from it. Times are `time.monotonic()` seconds."""

    def __init__(self) -> None:
        self._alive_at = time.monotonic()
        self._fetched_at: float | None = None
        self._stored_at: float | None = None
        self._held_up: tuple[str, float] = ("", 0.0)
        self.catalogue_read = False
        self.stopped = ""
        """Why it stopped for good; "" while it runs."""
        self.paused = ""
        """Why nothing is written for now; "" while it is."""
        self._troubles: dict[str, _Trouble] = {}

    def alive(self) -> None:
        """The event loop went round."""
        self._alive_at = time.monotonic()

    def fetched(self, age_s: float) -> None:
        """The oldest of the last successful fetches, one per partition at hand, is this old."""
        self._fetched_at = time.monotonic() - age_s

    def stored(self) -> None:
        """The store took what it was given."""
        self._stored_at = time.monotonic()

    def trouble(self, part: str, cause: str) -> None:
        """What a part tries again after; "" once it is well."""
        if not cause:
            self._troubles.pop(part, None)
        elif part in self._troubles:
            self._troubles[part].cause = cause
        else:
            self._troubles[part] = _Trouble(cause, time.monotonic())

    def held_up(self, where: str, since_s: float) -> None:
        """Records there are in the log since then, and can't be read before a transaction ends; "" for none."""
        self._held_up = where, since_s

    def unhealthy(self) -> str:
        """Why the process should be restarted; "" when it shouldn't."""
        silent_s = time.monotonic() - self._alive_at
        return f"the event loop has been silent for {silent_s:.0f} s" if silent_s > LATEST_S else ""

    def unready(self) -> str:
        """Why the counts may be behind; "" when they aren't."""
        if self.stopped:
            return self.stopped
        if self.paused:
            return self.paused
        if silent := self.unhealthy():
            return silent
        symptom = self._symptom()
        causes = self._causes(0.0 if symptom else LATEST_S)  # an error that passes at once is no news
        return "; ".join(causes) or symptom

    def _symptom(self) -> str:
        """What should have happened by now and hasn't."""
        if not self.catalogue_read:
            return "the catalogue is not read to its end yet"
        for what, moment in (("fetch from Kafka", self._fetched_at), ("write to Redis", self._stored_at)):
            if moment is None:
                return f"no successful {what} yet"
            age_s = time.monotonic() - moment
            if age_s > LATEST_S:
                return f"the last successful {what} was {age_s:.0f} s ago"
        where, since_s = self._held_up
        open_s = time.monotonic() - since_s
        if where and open_s > LATEST_S:
            return f"an open transaction of a publisher holds up {where}, for {open_s:.0f} s"
        return ""

    def _causes(self, latest_s: float) -> list[str]:
        """What parts have been trying again after for longer than this."""
        now = time.monotonic()
        return [
            f"{part} has been trying again for {now - one.since:.0f} s after: {one.cause}"
            for part, one in sorted(self._troubles.items())
            if now - one.since > latest_s
        ]


@contextmanager
def serve(health: Health, registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Serves /healthz, /readyz and /metrics while the context is open; gives the port. Raises CannotServe."""
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
