"""Answers `/healthz`, `/livez` and `/readyz`: liveness and readiness. Needs no token, and never tells ids."""

import msgspec

from service.queries.counts import CountQueries
from service.web.http.endpoint import Endpoint
from service.web.http.replies import Reply, document
from service.web.http.requests import Request
from service.web.models.answers import Alive, ReadinessAnswer
from service.web.models.operation import AnswerDescription, described, public_operation

_encode = msgspec.json.encode


class Live(Endpoint):
    """The endpoint of liveness."""

    @described(
        public_operation(
            "",
            "operation",
            {200: AnswerDescription("The process is alive.", Alive)},
        )
    )
    async def get(self, request: Request) -> Reply:
        """Answers 200 while the event loop turns.

        The store may be away: a restart wouldn't bring it back.
        """
        return document(_encode({"status": "alive"}))


class Ready(Endpoint):
    """The endpoint of readiness."""

    def __init__(self, queries: CountQueries) -> None:
        self._queries = queries

    @described(
        public_operation(
            "readyz",
            "operation",
            {
                200: AnswerDescription("Answers can be given.", ReadinessAnswer),
                503: AnswerDescription("The store is away, or never had the whole catalogue.", ReadinessAnswer),
            },
        )
    )
    async def get(self, request: Request) -> Reply:
        """Answers 200 when counts can be answered, else 503.

        They can once the store answers and the whole catalogue, which may be empty, has been read.
        """
        readiness = await self._queries.ready()
        is_ready = readiness.store and readiness.catalogue
        body = {
            "status": "ready" if is_ready else "not ready",
            "store": readiness.store,
            "catalogue": readiness.catalogue,
        }
        return document(_encode(body), status=200 if is_ready else 503)
