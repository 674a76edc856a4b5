"""Host names that are answered, and what every answer says whoever makes it."""

import pytest

from tests.web.server.wire import Peer
from tests.web.world import COUNT, QUERY, World, a_world


@pytest.mark.parametrize("path", [f"{COUNT}?{QUERY}&filterIds=all", "/healthz", "/openapi.json", "/", "/nothing"])
async def test_only_named_hosts_are_answered(path: str) -> None:
    named = await a_world(allowed_hosts="counts.example, LocalHost,[::1]", cors_origins="https://desk.example")
    headers = named.headers() | {"origin": "https://desk.example"}
    async with named.client as client:
        for host in ("counts.example", "COUNTS.example:8443", "counts.example.", "localhost", "[::1]:80"):
            answer = await client.get(path, headers=headers | {"host": host})
            assert answer.status_code == (404 if path == "/nothing" else 200)
        for host in ("evil.example", "counts.example.evil", "xcounts.example", "", "::1", "counts.example@evil"):
            answer = await client.get(path, headers=headers | {"host": host})
            assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": "host"})
            assert "access-control-allow-origin" not in answer.headers


async def test_a_refused_host_is_in_the_access_log_and_the_metrics() -> None:
    named = await a_world(allowed_hosts="localhost")
    async with named.client as client:
        await client.get("/healthz", headers={"host": "evil.example"})
        text = (await client.get("/metrics", headers={"host": "localhost"})).text
    assert '"refused":"INVALID_REQUEST","reason":"host: is no host name' in named.lines[0]
    assert 'ticket_counts_http_requests_total{method="GET",path="/healthz",status="400"} 1.0' in text


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /healthz", "GET /", "GET /docs", "GET /nothing", "POST /includes/api.php", "GET /metrics", "BREW /",
        f"GET {COUNT}", "HEAD /dashboard/dashboard.js",
    ],
)  # fmt: skip
async def test_no_answer_is_to_be_guessed_the_type_of(world: World, request_line: str) -> None:
    peer = Peer(world.app)
    await peer.say([f"{request_line} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode()])
    await peer.leave()
    assert peer.wire.said.lower().count(b"\r\nx-content-type-options: nosniff\r\n") == 1


async def test_nor_is_a_streams(world: World) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in world.headers().items())
    peer = Peer(world.app)
    async with world.hub.running(_nobody):
        await peer.say([f"GET {COUNT}/stream?{QUERY}&filterIds=all HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode()])
        assert b"text/event-stream" in peer.wire.said
        await peer.leave()
    assert peer.wire.said.count(b"x-content-type-options: nosniff\r\n") == 1


async def _nobody(*listeners: object) -> None:
    """Stands for a subscription to hints that says nothing."""
