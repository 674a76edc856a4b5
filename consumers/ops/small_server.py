"""A small HTTP server on a thread of its own: few connections at once, each for a few seconds. For probes and scrapes.

Whoever sends nothing, drips, or doesn't read is cut off at the deadline. Where there are too many connections, the
oldest one of the address that has the most has to go, so that nobody keeps the probes of others out.
"""

import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

MOST_CONNECTIONS = 16
"""Open at once, each with a thread: some probes and scrapers, answered within milliseconds."""

DEADLINE_S = 5.0
"""From the connection to the end of its answer; a probe gives up sooner."""

MOST_HEAD_BYTES = 16_384
"""Request line and headers: scrapers send some hundred bytes."""

RECEIVED_BYTES = 4_096


class CannotServe(Exception):
    """The address can't be listened on: another program has it, or it is none of this machine."""


@contextmanager
def serving(application: WSGIApplication, host: str, port: int) -> Iterator[int]:
    """Serves the application while the context is open; gives the port. Raises CannotServe."""
    try:
        server = make_server(host, port, application, _Server, _Handler)
    except OSError as error:
        raise CannotServe(f"can't listen at {host}, port {port}: {error.strerror or error}") from error
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._lock = threading.Lock()
        self._open: dict[socket.socket, tuple[str, float]] = {}
        """Each connection's address, and when it came; the oldest first."""
        super().__init__(*arguments, **more)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = client_address[0], time.monotonic()
            surplus = self._surplus() if len(self._open) > MOST_CONNECTIONS else None
        if surplus is not None:
            _cut(surplus)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Called about twice a second."""
        with self._lock:
            late = [one for one, (_, came_at) in self._open.items() if time.monotonic() - came_at > DEADLINE_S]
        for connection in late:
            _cut(connection)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke is no news."""

    def _surplus(self) -> socket.socket:
        ((address, _),) = Counter(address for address, _ in self._open.values()).most_common(1)
        return next(connection for connection, (whose, _) in self._open.items() if whose == address)


def _cut(connection: socket.socket) -> None:
    """Ends what its thread waits for; the thread then closes it."""
    with suppress(OSError):  # it is gone already
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    def handle(self) -> None:
        head = _head(self.connection)
        if len(head) > MOST_HEAD_BYTES:
            self.requestline = self.request_version = self.command = ""
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self.rfile.close()
        self.rfile = io.BytesIO(head)  # no body is read
        super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """A scrape every few seconds is no news."""


def _head(connection: socket.socket) -> bytes:
    """What came up to the end of the head; b"" where the caller left, more than the limit where it has no end."""
    received = b""
    while b"\r\n\r\n" not in received and len(received) <= MOST_HEAD_BYTES:
        part = connection.recv(RECEIVED_BYTES)
        if not part:
            return b""
        received += part
    return received
