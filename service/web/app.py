"""The ASGI application, wired from its parts. Opens nothing, and knows no server."""

from typing import Protocol

from starlette.types import ASGIApp

from service.clock import Clock
from service.origins import origins_in
from service.settings import Settings, names_in
from service.store.budgets import BudgetStore
from service.store.grants import GrantStore
from service.store.marks import MarkStore
from service.store.port import CounterReader
from service.store.previewing import Limits, Previewing
from service.store.reading import Reading
from service.web import count, filters, preview, streaming
from service.web.access_log import AccessLog
from service.web.by_port import ByPort
from service.web.cors import with_origins
from service.web.count import Counting
from service.web.dashboard_page import dashboard_endpoints
from service.web.documents import docs_endpoint, document_endpoints
from service.web.endpoint import Endpoint, Paths
from service.web.failures import Failures
from service.web.filters import Listing
from service.web.form import api
from service.web.form.api import FormApi
from service.web.gate import Gate
from service.web.health import Health
from service.web.hosts import AllowedHosts
from service.web.metrics import Metrics
from service.web.observation import Observation
from service.web.preview import Previews
from service.web.push.hub import Hub
from service.web.shared_metrics import SharedMetrics
from service.web.streaming import Streaming


class SharedStore(BudgetStore, GrantStore, MarkStore, Protocol):
    """What all workers share beside the counters."""


def create_app(
    reading: Reading,
    reader: CounterReader,
    hub: Hub,
    grants: SharedStore,
    settings: Settings,
    clock: Clock,
    access_log: AccessLog | None = None,
    *,
    shared_metrics: SharedMetrics | None = None,
    operations_port: int | None = None,
) -> ASGIApp:
    """The application; without `access_log` nothing is logged of a request that didn't fail.

    With `operations_port` metrics and documentation are answered only to requests that come to that port.
    """
    gate = Gate(reading, settings, clock)
    counting = Counting(gate, reading, settings)
    listing = Listing(gate, reading, clock)
    pushing = Streaming(gate, reading, hub, grants, grants, settings, clock)
    limits = Limits(settings.preview_tickets, settings.preview_deadline_s, settings.previews)
    previews = Previews(gate, Previewing(reading, reader, clock, limits), reader, settings, clock)
    health = Health(reading)
    metrics = Metrics(hub.tally, shared_metrics)
    form = FormApi(gate, reading, reader, grants, settings, clock)
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
    answering = with_origins(Failures(Paths(outside), clock), origins_in(settings.cors_origins))
    if settings.allowed_hosts:
        answering = AllowedHosts(answering, names_in(settings.allowed_hosts), clock)
    if operations_port is not None:
        answering = ByPort(operations_port, Failures(Paths(checks | operations), clock), answering)
    return Observation(answering, metrics, access_log, clock, everything)
