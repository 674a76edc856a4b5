"""What is said of a Redis that can't be reached: where, why, and never its password."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import ResponseError

from service.store.client.pipelined_connection import PipelinedConnection
from service.store.client.redis_client import way_to
from service.store.client.redis_errors import failure_text
from service.store.ports.errors import StoreUnavailable
from tests.servers.ports import free_port

PASSWORD = "p@ss word"
ENCODED = "p%40ss%20word"


@asynccontextmanager
async def a_server_that_says(line: bytes) -> AsyncIterator[int]:
    """Answers whatever it is told with this line; gives its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4_096):
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def told(url: str) -> str:
    async with PipelinedConnection(url, 5.0) as client:
        with pytest.raises(StoreUnavailable) as refused:
            await client.call("PING")
    return str(refused.value)


async def test_a_server_that_repeats_the_password_does_not_have_it_told() -> None:
    line = f"-ERR unknown command 'AUTH', with args beginning with: '{PASSWORD}'\r\n".encode()
    async with a_server_that_says(line) as port:
        said = await told(f"redis://:{ENCODED}@127.0.0.1:{port}/0")
    assert said.startswith(f"Redis at 127.0.0.1:{port}: ")
    assert "unknown command" in said
    assert PASSWORD not in said


async def test_where_and_why_are_told_in_plain_words() -> None:
    port = free_port()
    assert await told(f"redis://127.0.0.1:{port}/0") == f"Redis at 127.0.0.1:{port}: Connection refused"
    assert (await told("redis://no-such-host.invalid/0")).startswith("Redis at no-such-host.invalid:6379: ")
    async with a_server_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        assert (await told(f"redis://127.0.0.1:{port}/0")).startswith(f"Redis at 127.0.0.1:{port}: InvalidResponse: ")


@pytest.mark.parametrize(
    ("url", "where", "password"),
    [
        ("redis://h", "h:6379", ""),
        (f"redis://user:{ENCODED}@[::1]:7000/2", "[::1]:7000", PASSWORD),
        ("rediss://:x@h:1/0", "h:1", "x"),
        ("unix:///run/redis.sock", "/run/redis.sock", ""),
    ],
)
def test_a_url_says_where_it_leads(url: str, where: str, password: str) -> None:
    assert way_to(url) == (where, password)


def test_a_failure_is_one_line() -> None:
    assert failure_text("h:1", ConnectionLost("a\nb")) == "Redis at h:1: ConnectionError: a b"
    assert failure_text("h:1", ResponseError("x secret y"), "secret") == "Redis at h:1: ResponseError: x … y"
