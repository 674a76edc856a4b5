"""Wires the ASGI application from its parts. Opens nothing, and depends on no server."""

from collections.abc import Sequence
from typing import Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import Clock
from service.config.origins import origins_in
from service.config.settings import ServiceSettings, names_in
from service.queries.counts import CountQueries
from service.queries.previews import PreviewLimits, PreviewQueries
from service.store.ports.budgets import BudgetStore, MarkStore
from service.store.ports.grants import GrantStore
from service.store.ports.reading import CounterReader
from service.web.api import count, filters, preview, streaming
from service.web.api.count import Counting
from service.web.api.filters import Listing
from service.web.api.preview import Previews
from service.web.api.streaming import Streaming, Ticketing
from service.web.auth.gate import Gate
from service.web.cors import cors
from service.web.dashboard.page import page_routes
from service.web.docs.documents import document_routes
from service.web.failures import exception_handlers
from service.web.form import api
from service.web.form.api import FormApi
from service.web.http.endpoint import ExactRoute
from service.web.http.hosts import AllowedHosts
from service.web.ops.access_log import AccessLog
from service.web.ops.health import Live, Ready
from service.web.ops.metrics import HttpMetrics
from service.web.ops.observation import Observation
from service.web.ops.shared_metrics import SharedMetrics
from service.web.push.hub import Hub


class ByPort:
    """Passes requests to this port to `inside`, and all others to `outside`."""

    def __init__(self, outside: ASGIApp, port: int, inside: ASGIApp) -> None:
        self._port = port
        self._inside = inside
        self._outside = outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        app = self._inside if server is not None and server[1] == self._port else self._outside
        await app(scope, receive, send)


class SharedStore(BudgetStore, GrantStore, MarkStore, Protocol):
    """The store of what all workers share beside the counters: budgets, grants and marks."""


def create_app(
    queries: CountQueries,
    reader: CounterReader,
    hub: Hub,
    grants: SharedStore,
    settings: ServiceSettings,
    clock: Clock,
    access_log: AccessLog | None = None,
    *,
    shared_metrics: SharedMetrics | None = None,
    operations_port: int | None = None,
) -> Starlette:
    """Returns the application. Without `access_log` it logs only requests that failed.

    With `operations_port`, only requests to that port get metrics and documentation.
    """
    metrics = HttpMetrics(hub.tally, shared_metrics)
    asked = routes(queries, reader, hub, grants, settings, clock)
    checks = check_routes(queries)
    scrape = ExactRoute("/metrics", metrics)
    documents = document_routes([*asked, *checks, scrape])
    checks += documents.documents
    operations = [scrape, *documents.pages]
    everything = [*asked, *checks, *operations]
    known = [route.path for route in everything]
    middleware = [Middleware(Observation, metrics, access_log, clock, known)]
    if operations_port is not None:
        everything = [*asked, *checks]
        inside = application([*checks, *operations], [], clock)
        middleware.append(Middleware(ByPort, operations_port, inside))
    if settings.allowed_hosts:
        middleware.append(Middleware(AllowedHosts, names_in(settings.allowed_hosts), clock))
    if settings.cors_origins:
        middleware.append(cors(origins_in(settings.cors_origins)))
    return application(everything, middleware, clock)


def application(served: Sequence[ExactRoute], middleware: Sequence[Middleware], clock: Clock) -> Starlette:
    """Starlette without redirects to other spellings of a path: they would drop the body of some clients."""
    app = Starlette(routes=served, middleware=middleware, exception_handlers=exception_handlers(clock))
    app.router.redirect_slashes = False
    return app


def routes(
    queries: CountQueries,
    reader: CounterReader,
    hub: Hub,
    grants: SharedStore,
    settings: ServiceSettings,
    clock: Clock,
) -> list[ExactRoute]:
    """What clients ask for, the most frequent first: Starlette tries one after the other."""
    gate = Gate(queries, settings, clock)
    streams = Streaming(gate, queries, hub, grants, grants, settings, clock)
    limits = PreviewLimits(settings.preview_tickets, settings.preview_deadline_s, settings.previews)
    previewing = PreviewQueries(queries, reader, clock, limits)
    return [
        ExactRoute(count.PATH, Counting(gate, queries, settings)),
        ExactRoute(streaming.PATH, streams),
        ExactRoute(streaming.TICKET_PATH, Ticketing(streams)),
        ExactRoute(filters.PATH, Listing(gate, queries, clock)),
        ExactRoute(preview.PATH, Previews(gate, previewing, reader, settings, clock)),
        ExactRoute(api.PATH, FormApi(gate, queries, reader, grants, settings, clock)),
        *(page_routes(settings.development_sign_in) if settings.dashboard else []),
    ]


def check_routes(queries: CountQueries) -> list[ExactRoute]:
    """What orchestrators and generators of clients ask for."""
    alive = Live()
    return [
        ExactRoute("/healthz", alive),
        ExactRoute("/livez", alive),
        ExactRoute("/readyz", Ready(queries)),
    ]
