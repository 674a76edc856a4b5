"""`python -m service`: wires settings, store and application, and serves until SIGTERM. Never decides an answer."""

import asyncio
import logging
import socket
import sys
from contextlib import AsyncExitStack

import structlog
import uvloop

from service import logs, settings
from service.clock import SystemClock
from service.listener import BACKLOG, listen, url
from service.settings import Settings
from service.store.port import StoreRefused, StoreUnavailable
from service.store.reading import Reading
from service.store.redis_store import RedisStore, open_store
from service.web.access_log import LOGGER, AccessLog
from service.web.app import create_app
from service.web.server import serve
from service.workers import run_workers

log = structlog.stdlib.get_logger(__name__)

LAYOUT_RETRY_S = 1.0
"""Between looks for a store that was away at start: as often as a client polls."""


def main() -> int:
    """Returns the exit status."""
    wanted = settings.load(sys.argv)
    logs.set_up(wanted.log_level, wanted.log_format, process="service")
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
        log.info("listening", url=url(listener), workers=wanted.workers)
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
            runner.run(serving(wanted, listener))
        except* StoreRefused as refused:
            log.error("the store can't be used", problem=str(refused.exceptions[0]))
            status = 1
        else:
            log.info("stopped")
            status = 0
    return status


async def serving(wanted: Settings, listener: socket.socket) -> None:
    """Opens everything, serves, closes everything. Raises StoreRefused (in a group) for a store that isn't ours."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(wanted.redis, wanted.buckets, wanted.redis_timeout_s))
        app = create_app(Reading(store, clock), wanted, clock, access_log())
        async with asyncio.TaskGroup() as tasks:
            layout = tasks.create_task(check_layout(store))
            await serve(app, listener, wanted.drain_s)
            layout.cancel()


async def check_layout(store: RedisStore) -> None:
    """Returns once the store is known to be laid out as we are set. Raises StoreRefused when it is not."""
    while True:
        try:
            await store.found()
            return
        except StoreUnavailable as away:
            log.warning("the store is away", problem=str(away))
            await asyncio.sleep(LAYOUT_RETRY_S)


def access_log() -> AccessLog | None:
    """Off when lines of its level would not be written."""
    return AccessLog() if logging.getLogger(LOGGER).isEnabledFor(logging.INFO) else None


if __name__ == "__main__":
    raise SystemExit(main())
