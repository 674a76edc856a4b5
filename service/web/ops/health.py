"""Answers `/healthz`, `/livez` and `/readyz`: liveness and readiness. Needs no token, and never tells ids."""

import msgspec

from service.queries.counts import CountQueries
from service.web.http.endpoint import Endpoint
from service.web.http.replies import Reply, document
from service.web.http.requests import Request

_encode = msgspec.json.encode


class Alive(Endpoint):
    """The endpoint of liveness."""

    async def get(self, request: Request) -> Reply:
        """Answers 200 while the event loop turns, even without the store: a restart wouldn't bring the store back."""
        return document(_encode({"status": "alive"}))


class Ready(Endpoint):
    """The endpoint of readiness."""

    def __init__(self, queries: CountQueries) -> None:
        self._queries = queries

    async def get(self, request: Request) -> Reply:
        """Answers 200 when the store answers and the whole catalogue (which may be empty) has been read; else 503."""
        readiness = await self._queries.ready()
        is_ready = readiness.store and readiness.catalogue
        body = {
            "status": "ready" if is_ready else "not ready",
            "store": readiness.store,
            "catalogue": readiness.catalogue,
        }
        return document(_encode(body), status=200 if is_ready else 503)
