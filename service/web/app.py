"""Wires the ASGI application from its parts. Opens nothing, and depends on no server."""

from typing import Protocol

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
from service.web.api.streaming import Streaming
from service.web.auth.gate import Gate
from service.web.cors import with_origins
from service.web.dashboard.page import dashboard_endpoints
from service.web.docs.documents import docs_endpoint, document_endpoints
from service.web.failures import Failures
from service.web.form import api
from service.web.form.api import FormApi
from service.web.http.endpoint import Endpoint, Paths
from service.web.http.hosts import AllowedHosts
from service.web.ops.access_log import AccessLog
from service.web.ops.health import HealthChecks
from service.web.ops.metrics import HttpMetrics
from service.web.ops.observation import Observation
from service.web.ops.shared_metrics import SharedMetrics
from service.web.push.hub import Hub


class ByPort:
    """Passes requests to this port to `inside`, and all others to `outside`."""

    def __init__(self, port: int, inside: ASGIApp, outside: ASGIApp) -> None:
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
) -> ASGIApp:
    """Returns the application. Without `access_log` it logs only requests that failed.

    With `operations_port`, only requests to that port get metrics and documentation.
    """
    gate = Gate(queries, settings, clock)
    counting = Counting(gate, queries, settings)
    listing = Listing(gate, queries, clock)
    pushing = Streaming(gate, queries, hub, grants, grants, settings, clock)
    limits = PreviewLimits(settings.preview_tickets, settings.preview_deadline_s, settings.previews)
    previews = Previews(gate, PreviewQueries(queries, reader, clock, limits), reader, settings, clock)
    health = HealthChecks(queries)
    metrics = HttpMetrics(hub.tally, shared_metrics)
    form = FormApi(gate, queries, reader, grants, settings, clock)
    endpoints: dict[str, ASGIApp] = {
        count.PATH: Endpoint({"POST": counting.post, "GET": counting.get}),
        filters.PATH: Endpoint({"GET": listing.get}),
        streaming.PATH: Endpoint({"GET": pushing.get, "POST": pushing.post}, is_stream=True),
        streaming.TICKET_PATH: Endpoint({"POST": pushing.ticket}),
        preview.PATH: Endpoint({"POST": previews.post}),
        api.PATH: form,
        **(dashboard_endpoints(settings.development_sign_in) if settings.dashboard else {}),
    }
    checks: dict[str, ASGIApp] = {
        "/healthz": Endpoint({"GET": health.alive}),
        "/livez": Endpoint({"GET": health.alive}),
        "/readyz": Endpoint({"GET": health.ready}),
        **document_endpoints(),
    }
    operations: dict[str, ASGIApp] = {"/metrics": Endpoint({"GET": metrics.get}), "/docs": docs_endpoint()}
    everything = endpoints | checks | operations
    outside = endpoints | checks if operations_port is not None else everything
    app = with_origins(Failures(Paths(outside), clock), origins_in(settings.cors_origins))
    if settings.allowed_hosts:
        app = AllowedHosts(app, names_in(settings.allowed_hosts), clock)
    if operations_port is not None:
        app = ByPort(operations_port, Failures(Paths(checks | operations), clock), app)
    return Observation(app, metrics, access_log, clock, everything)
