"""`/healthz`, `/livez` and `/readyz`: is the process alive, can it answer. Never needs a token, never tells ids."""

import msgspec

from service.queries.counts import CountQueries
from service.web.http.replies import Reply, document
from service.web.http.requests import Request

_encode = msgspec.json.encode


class HealthChecks:
    """The two checks that an orchestrator makes."""

    def __init__(self, queries: CountQueries) -> None:
        self._queries = queries

    async def alive(self, request: Request) -> Reply:
        """200 as long as the event loop turns: a restart would help no one whose store is away."""
        return document(_encode({"status": "alive"}))

    async def ready(self, request: Request) -> Reply:
        """200 when the store answers and the catalogue was read to its end, be it empty; else 503."""
        readiness = await self._queries.ready()
        is_ready = readiness.store and readiness.catalogue
        body = {
            "status": "ready" if is_ready else "not ready",
            "store": readiness.store,
            "catalogue": readiness.catalogue,
        }
        return document(_encode(body), status=200 if is_ready else 503)
