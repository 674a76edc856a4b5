"""Offers to speak another protocol are declined: the request is served whole, and its bytes are nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.server.wire import Served, chunked, served, split

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"

OFFERS = (
    b"",
    b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQBAAAAAAUAAEAA\r\n",
    b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n",
    b"upgrade: a/1, b\r\nupgrade: c\r\nconnection: upgrade\r\n",
)

BODIES = st.one_of(st.just(b""), st.just(SMUGGLED), st.just(SMUGGLED + b"x"), st.binary(max_size=60))


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, Served]:
    """A request on the wire, and how it must be served."""
    target = b"/%d" % draw(st.integers(0, 9))
    body, offer = draw(BODIES), draw(st.sampled_from(OFFERS))
    if draw(st.booleans()):
        framing, encoded = (
            b"Transfer-Encoding: chunked\r\n",
            chunked(body, draw(st.lists(st.integers(1, 30), max_size=3))),
        )
    else:
        framing, encoded = b"Content-Length: %d\r\n" % len(body), body
    head = b"POST " + target + b" HTTP/1.1\r\nhost: x\r\n" + offer + framing + b"x-last: 1\r\n\r\n"
    return head + encoded, Served("POST", target, body)


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 1_500), max_size=12))
async def test_the_bytes_of_one_request_are_never_read_as_anothers(
    sent: list[tuple[bytes, Served]], cuts: list[int]
) -> None:
    found, said = await served(split(b"".join(encoded for encoded, _ in sent), cuts))
    assert [each._replace(headers=()) for each in found] == [request for _, request in sent]
    assert said.count(b"HTTP/1.1 200 OK") == len(sent)


async def test_a_declined_offer_is_not_shown_to_the_application() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nX-Last: 1\r\n\r\n"
    (request,), _ = await served([head])
    assert request.headers == ((b"host", b"x"), (b"connection", b"Upgrade"), (b"x-last", b"1"))


async def test_many_offers_in_one_packet_are_all_declined() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    found, _ = await served([head * 100])
    assert len(found) == 100


@pytest.mark.parametrize("rest", [b"", SMUGGLED])
async def test_a_tunnel_is_refused_and_what_follows_is_not_read(rest: bytes) -> None:
    found, said = await served([b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n" + rest, rest])
    assert found == []
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
