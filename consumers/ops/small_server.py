"""A small HTTP server in its own thread, for probes and scrapes. Never holds a connection past its deadline.

A client that sends nothing, sends slowly or doesn't read is disconnected at the deadline. Above `MOST_CONNECTIONS`, the
server closes the oldest connection of the address with the most, so that no client can block other clients' probes.
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
"""Most open connections, each with a thread: probes and scrapes take milliseconds."""

DEADLINE_S = 5.0
"""Longest life of a connection; a probe gives up sooner."""

MOST_HEAD_BYTES = 16_384
"""Most bytes of request line and headers; scrapers send some hundred."""

RECEIVED_BYTES = 4_096


class CannotServe(Exception):
    """The server can't listen on the address: it is in use, or it isn't an address of this machine."""


@contextmanager
def serving(application: WSGIApplication, host: str, port: int) -> Iterator[int]:
    """Serves the application while the context is open; yields the port. Raises CannotServe."""
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
        """Each open connection's client address and start, oldest first."""
        super().__init__(*arguments, **more)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = client_address[0], time.monotonic()
            surplus = self._surplus() if len(self._open) > MOST_CONNECTIONS else None
        if surplus is not None:
            _cut(surplus)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Closes late connections. The base class calls this about twice a second."""
        with self._lock:
            late = [one for one, (_, opened_at) in self._open.items() if time.monotonic() - opened_at > DEADLINE_S]
        for connection in late:
            _cut(connection)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a broken connection, which is ordinary."""

    def _surplus(self) -> socket.socket:
        ((address, _),) = Counter(address for address, _ in self._open.values()).most_common(1)
        return next(connection for connection, (client, _) in self._open.items() if client == address)


def _cut(connection: socket.socket) -> None:
    """Shuts the connection down, which wakes its thread; the thread then closes it."""
    with suppress(OSError):  # the client has closed it already
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
        """Logs nothing: scrapes come every few seconds."""


def _head(connection: socket.socket) -> bytes:
    """Reads the request line and headers.

    Returns b"" when the client disconnected, and more than MOST_HEAD_BYTES when the head is too long.
    """
    received = b""
    while b"\r\n\r\n" not in received and len(received) <= MOST_HEAD_BYTES:
        part = connection.recv(RECEIVED_BYTES)
        if not part:
            return b""
        received += part
    return received
