"""Where a request ends and how an answer does: whatever two readers could take differently is refused."""

import json

import pytest
from starlette.types import Receive, Scope, Send

from tests.web.server.wire import Peer, Served, served

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


async def in_parts(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer of unknown length, as a stream is."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for part in (b"one ", b"", b"two"):
        await send({"type": "http.response.body", "body": part, "more_body": part != b"two"})


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"Content-Length", b"3")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"one"})


async def test_an_answer_of_unknown_length_is_chunked_for_1_1_and_ended_by_closing_for_1_0() -> None:
    peer = Peer(in_parts)
    await peer.say([b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"])
    assert peer.wire.said.endswith(b"transfer-encoding: chunked\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")
    assert not peer.wire.closed
    await peer.leave()
    old = Peer(in_parts)
    await old.say([b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"])
    head, _, body = old.wire.said.partition(b"\r\n\r\n")
    assert body == b"one two"
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert old.wire.closed


async def test_an_answer_of_known_length_says_it_to_1_0_too() -> None:
    for request in (b"GET / HTTP/1.0\r\n\r\n", b"HEAD / HTTP/1.0\r\n\r\n"):
        peer = Peer(whole)
        await peer.say([request])
        head, _, body = peer.wire.said.partition(b"\r\n\r\n")
        assert b"content-length: 3" in head
        assert body == (b"" if request.startswith(b"HEAD") else b"one")
        assert peer.wire.closed


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/2.0\r\nhost: x\r\n\r\n",
        b"GET /\r\n\r\n",
        b"no request\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 15\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\nhost: x\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 15\r\nHost: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x, y\r\nContent-Length: 15\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: http://x\r\nContent-Length: 15\r\n\r\n",
    ],
)
async def test_an_unclear_end_is_refused_in_the_envelope_of_all_errors_and_nothing_more_is_read(head: bytes) -> None:
    found, said = await served([head + b"3\r\nabc\r\n0\r\n\r\n" + SMUGGLED])
    assert found == []
    answer, _, body = said.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close" in answer
    assert b"x-content-type-options: nosniff" in answer
    assert f"content-length: {len(body)}".encode() in answer
    assert json.loads(body)["error"]["code"] == "INVALID_REQUEST"


async def test_blanks_around_a_value_are_none_of_it() -> None:
    head = b"POST / HTTP/1.1\r\nhost:\t x \t\r\ncontent-length: 3\t\r\nx-more: \ta\tb \t \r\n\r\nabc"
    (request,), _ = await served([head])
    assert request.headers == ((b"host", b"x"), (b"content-length", b"3"), (b"x-more", b"a\tb"))


async def test_an_end_that_becomes_unclear_later_gets_one_answer() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    found, said = await served([head + b"3\r\nabc", b"d\r\n0\r\n\r\n", SMUGGLED])
    assert found == []
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.count(b"HTTP/1.1") == 1


async def test_what_came_before_a_bad_request_is_answered_first() -> None:
    found, said = await served([b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\nbad\r\n\r\n"])
    assert [request.target for request in found] == [b"/1", b"/2"]
    assert said.count(b"HTTP/1.1 200 OK") == said.count(b"HTTP/1.1") == 2


async def test_a_bad_request_does_not_break_into_an_answer_that_has_begun() -> None:
    async def going_on(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    peer = Peer(going_on)
    await peer.say([b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n", b"bad\r\n\r\n", b"worse"])
    assert peer.wire.said.endswith(b"\r\n\r\n3\r\none\r\n")
    await peer.leave()


async def test_few_requests_wait_for_the_answers_before_them_however_many_a_packet_holds() -> None:
    answered = 0

    async def one_by_one(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal answered
        assert len(peer.connection.pipeline) <= 100
        answered += 1
        await whole(scope, receive, send)

    peer = Peer(one_by_one)
    await peer.say([SMUGGLED * 5_000] * 3)
    assert answered == peer.wire.said.count(b"HTTP/1.1 200 OK") == 101
    assert peer.wire.closed, "so the client knows which were not answered"


async def test_requests_that_are_answered_as_they_come_have_no_limit() -> None:
    found, _ = await served([SMUGGLED * 50] * 20)
    assert found == [Served("GET", b"/smuggled", b"", ((b"host", b"x"),))] * 1_000
