"""HEAD: the answer of GET without its body, wherever there is one."""

import pytest

from tests.web.form.panel import PATH, a_panel
from tests.web.form.test_errors import GOOD
from tests.web.server.wire import Peer
from tests.web.world import COUNT, FILTERS, QUERY, World, a_world

ASKED = f"{COUNT}?{QUERY}&filterIds=all,7471"

PATHS = [
    ASKED,
    f"{FILTERS}?{QUERY}",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/asyncapi.json",
    "/docs",
    "/docs/swagger-ui.js",
    "/",
    "/dashboard/dashboard.js",
    "/development-sign-in.json",
]


async def said(world: World, method: str, path: str) -> tuple[bytes, bytes]:
    """Head and body of the answer on the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in {"host": "x", **world.headers()}.items())
    peer = Peer(world.app)
    await peer.say([f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()])
    await peer.leave()
    head, _, body = peer.wire.said.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("path", [*PATHS, f"{COUNT}?{QUERY}&filterIds=no"])
async def test_head_is_the_answer_of_get_without_its_body(world: World, path: str) -> None:
    head, body = await said(world, "GET", path)
    assert body
    assert (await said(world, "HEAD", path)) == (head, b"")


async def test_head_of_the_metrics_says_what_they_are(world: World) -> None:
    head, body = await said(world, "HEAD", "/metrics")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\ncontent-type: text/plain" in head
    assert body == b""


async def test_head_may_be_asked_for_on_a_condition(world: World) -> None:
    etag = (await world.client.head(ASKED, headers=world.headers())).headers["etag"]
    again = await world.client.head(ASKED, headers=world.headers() | {"if-none-match": etag})
    assert again.status_code == 304


async def test_the_form_api_answers_head_where_it_answers_get() -> None:
    asked = GOOD | {"action": "GetTicketCounts"}
    assert (await (await a_panel()).client.head(PATH, params=asked)).status_code == 405
    willing = await a_panel(form_get=True)
    assert (await willing.client.head(PATH, params=asked)).status_code == 200


async def test_a_page_of_a_named_origin_may_ask_for_it() -> None:
    world = await a_world(cors_origins="https://desk.example")
    asking = {"access-control-request-method": "HEAD", "access-control-request-headers": "authorization"}
    async with world.client as client:
        answer = await client.options(COUNT, headers={"origin": "https://desk.example", **asking})
    assert "HEAD" in answer.headers["access-control-allow-methods"]
