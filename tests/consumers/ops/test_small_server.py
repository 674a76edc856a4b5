"""The server of probes and scrapes against callers that are silent, drip, don't read, or come in crowds."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from consumers.ops import small_server
from consumers.ops.small_server import MOST_CONNECTIONS, MOST_HEAD_BYTES, serving
from tests.support.plain_http import get
from tests.support.waiting import wait_until_blocking

HOST, STRANGER = "127.0.0.1", "127.0.0.2"
SOON_S = 20.0
LARGE = b"x" * 20_000_000
"""More than the buffers of any kernel between two processes."""


def application(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [LARGE if environ["PATH_INFO"] == "/large" else b"ok\n"]


@pytest.fixture
def port() -> Iterator[int]:
    with serving(application, HOST, 0) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that a test can wait for."""
    monkeypatch.setattr(small_server, "DEADLINE_S", 0.3)


def connected(port: int, source: str = HOST) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=SOON_S, source_address=(source, 0))


def is_cut(connection: socket.socket) -> bool:
    """Waits until the server has ended the connection; whatever came before is passed over."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionResetError:
        pass
    return True


def asked(port: int, path: str = "/healthz") -> int:
    return get(f"http://{HOST}:{port}{path}", timeout_s=SOON_S).status_code


def threads() -> int:
    return sum(thread.name.startswith("Thread-") for thread in threading.enumerate())


def test_it_answers(port: int) -> None:
    assert asked(port) == 200
    assert asked(port, "/large") == 200


def test_who_says_nothing_is_cut_off(port: int, impatient: None) -> None:
    with connected(port) as silent:
        assert is_cut(silent)


def test_who_drips_is_cut_off_however_lively(port: int, impatient: None) -> None:
    with connected(port) as dripping:
        dripping.sendall(b"GET /healthz HTTP/1.1\r\n")

        def refused() -> bool:
            try:
                dripping.sendall(b"a: b\r\n")
            except OSError:
                return True
            return False

        wait_until_blocking(refused, SOON_S, "the connection to be cut")


def test_who_does_not_read_the_answer_is_cut_off_and_its_thread_ends(port: int, impatient: None) -> None:
    before = threads()
    with connected(port) as deaf:
        deaf.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        wait_until_blocking(lambda: threads() > before, SOON_S, "its thread to begin")
        wait_until_blocking(lambda: threads() == before, SOON_S, "its thread to end")


def test_a_head_without_end_is_refused(port: int) -> None:
    with connected(port) as endless:
        endless.sendall(b"GET /healthz HTTP/1.1\r\nx: " + b"a" * MOST_HEAD_BYTES)
        assert endless.recv(65_536).startswith(b"HTTP/1.0 431 ")


def test_a_crowd_takes_a_bounded_number_of_threads_and_keeps_nobody_out(port: int) -> None:
    before = threads()
    with ExitStack() as crowd:
        for _ in range(4 * MOST_CONNECTIONS):
            crowd.enter_context(connected(port))
        assert asked(port) == 200
        wait_until_blocking(lambda: threads() - before <= MOST_CONNECTIONS, SOON_S, "those over the limit to end")
        assert asked(port) == 200


def test_a_crowd_of_one_address_costs_no_other_address_its_connection(port: int) -> None:
    with connected(port) as slow, ExitStack() as crowd:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        unknown_tenants = [crowd.enter_context(connected(port, STRANGER)) for _ in range(4 * MOST_CONNECTIONS)]
        assert is_cut(unknown_tenants[0]), "by now there are too many, and somebody had to go"
        slow.sendall(b"\r\n")
        assert slow.recv(65_536).startswith(b"HTTP/1.0 200 ")


def test_a_stop_waits_for_nobody() -> None:
    began = time.monotonic()
    with ExitStack() as crowd:
        with serving(application, HOST, 0) as port:
            for _ in range(MOST_CONNECTIONS):
                crowd.enter_context(connected(port))
        assert time.monotonic() - began < SOON_S
