"""The listening socket: what accepted connections inherit from it."""

import resource
import socket

import pytest

from service import __main__ as program
from service.process.listener import listen, url

PROMISED = {"TCP_NOTSENT_LOWAT": 16_384, "TCP_USER_TIMEOUT": 18_000, "TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_accepted_connections_inherit_the_options(host: str) -> None:
    try:
        listener = listen(host, 0)
    except OSError:
        pytest.skip(f"there is no {host} here")
    with listener:
        listener.listen()
        assert url(listener).startswith("http://[::1]:" if host == "::1" else "http://127.0.0.1:")
        with socket.create_connection(listener.getsockname()[:2]) as client:
            accepted, _ = listener.accept()
            with accepted, client:
                found = {name: accepted.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in PROMISED}
                assert found == PROMISED
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_as_many_files_may_be_open_as_streams_need_or_as_are_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert program.raise_file_limit(100) == 356
        assert program.raise_file_limit(10) == 356, "never lowered"
        if hard != resource.RLIM_INFINITY:
            assert program.raise_file_limit(hard * 2) == hard
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
