"""`python -m service`: wires settings, store and application, and serves until SIGTERM. Never decides an answer."""

import asyncio
import gc
import logging
import socket
import sys
from functools import partial

import structlog
import uvloop

from service import descriptors, logs, settings, timezones
from service.clock import SystemClock
from service.listener import BACKLOG, listen, url
from service.settings import Settings
from service.store.hints import listen as listen_for_hints
from service.store.port import StoreRefused, StoreUnavailable
from service.store.reading import Reading
from service.store.redis_store import RedisStore, open_store
from service.web.access_log import LOGGER, AccessLog
from service.web.app import create_app
from service.web.push.hub import DRAIN_SPREAD_S, Hub
from service.web.push.places import Places
from service.web.server import Server, new_server
from service.workers import run_workers

log = structlog.stdlib.get_logger(__name__)

GC_THRESHOLDS = (20_000, 20, 50)
"""An answer makes hundreds of objects and no cycle: by default every second answer would look for some."""

LAYOUT_RETRY_S = 1.0
"""Between looks for a store that was away at start: as often as a client polls."""


def main() -> int:
    """Returns the exit status."""
    wanted = settings.load(sys.argv)
    gc.set_threshold(*GC_THRESHOLDS)
    logs.set_up(wanted.log_level, wanted.log_format, process="service")
    allowed = descriptors.allow(wanted.streams)
    if 0 <= allowed < wanted.streams:
        log.warning("fewer files may be open than streams are allowed", files=allowed, streams=wanted.streams)
    shared = wanted.workers > 1
    try:
        listener = listen(wanted.host, wanted.port)
        if shared:
            # Bound alone first: two services that share a port by mistake would each answer half of the requests.
            port = listener.getsockname()[1]
            listener.close()
            listener = listen(wanted.host, port, shared=True)
    except OSError as error:
        print(f"TICKET_COUNTS_HOST, TICKET_COUNTS_PORT: can't listen there: {error}", file=sys.stderr)
        return 1
    with listener:
        log.info("listening", url=url(listener), workers=wanted.workers, tzdata=timezones.version())
        timezones.log_refused()
        if not shared:
            return run(wanted, listener)
        port = listener.getsockname()[1]
        return run_workers(wanted.workers, lambda: run_worker(wanted, port), wanted.drain_s)


def run_worker(wanted: Settings, port: int) -> int:
    """One of several: its own socket on the port, so that the kernel spreads connections evenly."""
    with listen(wanted.host, port, shared=True) as listener:
        return run(wanted, listener)


def run(wanted: Settings, listener: socket.socket) -> int:
    """Serves on the socket; returns the exit status."""
    listener.listen(BACKLOG)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            status = runner.run(serving(wanted, listener))
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            return 1
    log.info("stopped")
    return status


async def serving(wanted: Settings, listener: socket.socket) -> int:
    """Opens everything, serves, closes everything; returns the exit status."""
    clock = SystemClock()
    async with open_store(wanted.redis, wanted.buckets, wanted.redis_timeout_s) as store:
        reading = Reading(store, clock, most_dated=wanted.dated_columns)
        places = Places(wanted.streams, wanted.streams_per_user, wanted.streams_per_address)
        hub = Hub(reading, places, clock, min(DRAIN_SPREAD_S, wanted.drain_s / 2))
        app = create_app(reading, store, hub, store, wanted, clock, access_log() if wanted.access_log else None)
        server = new_server(app, wanted.drain_s, hub.drain)
        listening = hub.running(partial(listen_for_hints, wanted.redis))
        async with listening, asyncio.TaskGroup() as tasks:
            layout = tasks.create_task(check_layout(store, server))
            await server.serve(sockets=[listener])
            layout.cancel()
    return 1 if layout.done() and not layout.cancelled() and not layout.result() else 0


async def check_layout(store: RedisStore, server: Server) -> bool:
    """Whether the store is laid out as we are set, known once it could be asked; if it isn't, the server ends."""
    while True:
        try:
            await store.found()
            return True
        except StoreUnavailable as away:
            log.warning("the store is away", problem=str(away))
            await asyncio.sleep(LAYOUT_RETRY_S)
        except StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused))
            server.end()
            return False


def access_log() -> AccessLog | None:
    """Off when lines of its level would not be written."""
    return AccessLog() if logging.getLogger(LOGGER).isEnabledFor(logging.INFO) else None


if __name__ == "__main__":
    raise SystemExit(main())
