"""Bytes of HTTP, right and damaged, read by us and by h11: what it reads as one request we read as the same, or refuse.

h11 is another parser by other people. Where two readers of one connection see the end of a request in different places,
the bytes of one are served as another's, so the requests are compared one by one, with their bodies.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h11
import httptools
import pytest
from hypothesis import strategies as st

from tests.fuzz.rounds import fuzz, within_its_time
from tests.web.server.wire import Served, chunked, served, split

pytestmark = within_its_time

METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"PRI", b"get", b"")
TARGETS = (b"/", b"/a?b=c", b"*", b"http://x/a", b"x:80", b"/a#b?c", b"/a b", b"/\xc3\xa9", b"")
VERSIONS: Sequence[bytes] = (b"HTTP/1.1",) * 6 + (
    b"HTTP/1.0",
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"",
)
LINE_ENDS: Sequence[bytes] = (b"\r\n",) * 30 + (b"\n", b"\r", b"\r\r\n", b"\n\r\n")
HEADERS = (
    b"Host: y", b"host: a b", b"Host : x", b"Connection: close", b"Connection: keep-alive", b"Connection: Upgrade",
    b"Connection: keep-alive, Upgrade, close", b"Upgrade: h2c", b"Upgrade: websocket", b"HTTP2-Settings: AAMA",
    b"Expect: 100-continue", b"Content-Length: 3", b"Content-Length: 0", b"content-length: 5", b"Content-Length: +3",
    b"Content-Length: 3, 3", b"Content-Length: 0x3", b"Content-Length: 3\t", b"Content-Length:", b"Content-Length: 03",
    b"Content-Length: 99999999999999999999", b"Content-Length : 3", b"Transfer-Encoding: chunked",
    b"transfer-encoding:chunked", b"Transfer-Encoding: Chunked ", b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity", b"Transfer-Encoding: x\x0bchunked",
    b"Transfer-Encoding: \tchunked", b"Trailer: x-more", b"x-more: a\x00b", b"x-more: \xff", b" folded", b"\tfolded: x",
    b"x-more", b": x", b"", b"x\xff: y", b"x-more: a\rb", b"x(y): z",
)  # fmt: skip
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
BODIES = st.sampled_from((b"", b"abc", b"abcde", SMUGGLED, b"0\r\n\r\n" + SMUGGLED, b"\r\n", b"\n")) | st.binary(
    max_size=8
)
CHUNK_LINES = (
    b"0", b"00", b"3", b"03", b"3;a=b", b'3;a="b"', b"3;", b"3 ", b" 3", b"+3", b"0x3", b"-1", b"g", b"", b"3;a=\n",
    b"ffffffffffffffff", b"10000000000000003", b"3\t", b"3;\x00", b"3;a=b\rc",
)  # fmt: skip


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """Chunks that may be wrong in any of their parts."""
    encoded: bytes = b""
    for _ in range(draw(st.integers(0, 2))):
        encoded += draw(st.sampled_from(CHUNK_LINES)) + draw(st.sampled_from(LINE_ENDS))
        encoded += draw(st.sampled_from((b"abc", b"ab", b"", b"abcd"))) + draw(st.sampled_from(LINE_ENDS))
    trailers: bytes = b"".join(
        draw(st.sampled_from(HEADERS)) + draw(st.sampled_from(LINE_ENDS)) for _ in range(draw(st.integers(0, 1)))
    )
    end: bytes = draw(st.sampled_from(LINE_ENDS))
    return encoded + b"0" + draw(st.sampled_from(LINE_ENDS)) + trailers + end


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, most often right, else wrong in one or a few places."""
    if draw(st.integers(0, 9)) < 4:  # right, so that what comes behind is read
        body = draw(BODIES)
        framing = draw(st.sampled_from((b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")))
        trailers = draw(st.sampled_from((b"", b"", b"host: y\r\nx-more: z\r\n")))
        sizes = draw(st.lists(st.integers(1, 9), max_size=2))
        encoded = chunked(body, sizes, trailers) if b"chunked" in framing else body
        offer = draw(st.sampled_from((b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n")))
        return b"POST /a HTTP/1.1\r\nHost: x\r\n" + offer + framing + b"\r\n\r\n" + encoded
    line = b" ".join(draw(st.sampled_from(choices)) for choices in (METHODS, TARGETS, VERSIONS))
    lines = [line, *draw(st.lists(st.sampled_from((b"Host: x",) * 8 + HEADERS), max_size=5)), b""]
    head = b"".join(each + draw(st.sampled_from(LINE_ENDS)) for each in lines)
    return head + draw(BODIES | chunks() | BODIES.map(lambda body: chunked(body, [2])))


@st.composite
def connections(draw: st.DrawFn) -> bytes:
    """Some requests behind each other, and a byte or two that were changed, doubled or lost on the way."""
    data = b"".join(draw(st.lists(requests(), min_size=1, max_size=3)))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        place, length = draw(st.integers(0, len(data))), draw(st.integers(0, 2))
        data = data[:place] + draw(st.binary(max_size=2)) + data[place + length :]
    return data


class Heard(NamedTuple):
    """What h11 makes of a connection."""

    requests: list[Served]
    is_over: bool
    """Whether it reads nothing more, because a request said so or what came is no HTTP; else it waits for more."""


def heard(data: bytes) -> Heard:
    """Each request is answered as soon as it is whole, and no other protocol is begun."""
    found: list[Served] = []
    while True:
        # Empty lines before a request may be skipped (RFC 9112 section 2.2), where h11 knows but one spelling of them.
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1_000_000)
        connection.receive_data(data.lstrip(b"\r\n"))
        try:
            request = request_on(connection)
        except h11.RemoteProtocolError:
            return Heard(found, is_over=True)
        if request is None:
            return Heard(found, is_over=False)
        found.append(request)
        connection.send(h11.Response(status_code=405 if request.method == "CONNECT" else 200, headers=NO_BODY))
        connection.send(h11.EndOfMessage())
        if connection.our_state is h11.MUST_CLOSE:
            return Heard(found, is_over=True)
        data, _ = connection.trailing_data


NO_BODY = [("content-length", "0")]


def request_on(connection: h11.Connection) -> Served | None:
    """The next request, None where more of it has to come. Raises RemoteProtocolError."""
    event, body = connection.next_event(), b""
    if not isinstance(event, h11.Request):
        return None
    while True:
        more = connection.next_event()
        if isinstance(more, h11.Data):
            body += more.data
        elif isinstance(more, h11.EndOfMessage):
            headers = tuple((name, value) for name, value in event.headers if name != b"upgrade")
            return Served(event.method.decode(), target_of(event.target), body, headers)
        else:
            return None


def target_of(target: bytes) -> bytes:
    """Path and query; where a request ends isn't decided here."""
    path, mark, query = target.partition(b"?")
    try:
        parsed: bytes = httptools.parse_url(path).path or b""
        return parsed + mark + query
    except httptools.HttpParserInvalidURLError:
        return target


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


def test_we_read_what_h11_reads_or_refuse_it(runner: asyncio.Runner) -> None:
    def check(data: bytes, cuts: list[int]) -> None:
        ours, said = runner.run(served([data]))
        ours = [without_offer(each) for each in ours]
        theirs = heard(data)
        both = min(len(ours), len(theirs.requests))
        assert ours[:both] == theirs.requests[:both], f"{data!r}"
        if len(ours) < len(theirs.requests):
            assert b"\r\nconnection: close\r\n" in said or said == b"", "neither read nor refused"
        if theirs.is_over:
            assert len(ours) <= len(theirs.requests), f"read on behind the end: {data!r}"
        in_parts, said_in_parts = runner.run(served(split(data, cuts)))
        assert [without_offer(each) for each in in_parts] == ours
        assert answers(said_in_parts).count(200) == answers(said).count(200) == len(ours)

    fuzz(check, connections(), st.lists(st.integers(0, 600), max_size=6))


def without_offer(request: Served) -> Served:
    """Without the other protocol, which one reader may have left out."""
    return request._replace(headers=tuple((name, value) for name, value in request.headers if name != b"upgrade"))


GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The last that is said where the body never came."""


def answers(said: bytes) -> list[int]:
    """The statuses of what we say, as h11 reads it. Raises where that is no HTTP."""
    connection = h11.Connection(h11.CLIENT)
    connection.receive_data(said.removesuffix(GO_ON))
    connection.receive_data(b"")
    found = []
    while connection.trailing_data[0]:
        if connection.our_state is h11.DONE:
            connection.start_next_cycle()
        connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        connection.send(h11.EndOfMessage())
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                found.append(event.status_code)
    return found
