"""One HTTP connection: uvicorn's, with limits on what and how slowly a client may send. Never answers a whole request.

uvicorn has no deadline for a request's arrival and no limit for its head; who is silent, drips or sends half a body
would hold a connection for ever. It is also the link by which streams see whether their client keeps up.
"""

import asyncio
import socket
from typing import Any

import httptools
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.turns import Turns
from service.web.http.query import MAX_QUERY_BYTES
from service.web.server.arrivals import arrivals
from service.web.server.framing import framing_problem, head_without_upgrade, refusal_on_the_wire
from service.web.server.intake import Intake
from service.web.server.link import EXTENSION


def until_close(app: ASGIApp, cycle: RequestResponseCycle) -> ASGIApp:
    """The application for this one request, whose connection uvicorn closes after the answer."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        has_length = True

        async def sending(message: Message) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                has_length = any(name.lower() == b"content-length" for name, _ in message["headers"])
            if not has_length:
                cycle.chunked_encoding = False
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, sending)

    return answering


KEEP_ALIVE_S = 75
"""Longer than the 60 s after which common proxies drop an idle connection: so they close it, and no request is lost."""

HEAD_S = 10.0
"""From a connection's or a request's first byte to the end of its headers: one packet, or three on a bad line."""

WHOLE_S = 15.0
"""From a request's first byte to its last: longer than a handler waits for a body, so that it can say so itself."""

MAX_HEADERS_BYTES = 65_536
"""All of a request but its URL and its body: headers, chunk extensions, trailers. Enough for the longest token that is
taken, and 16 KiB for cookies and whatever proxies add."""

MAX_URL_BYTES = MAX_QUERY_BYTES + 8_192
"""A query that is too long for a handler still comes through to it: refusing it is its business."""

CHUNK_FRAMING_BYTES = 16
"""What one chunk takes on the wire beside its data, without extensions. It doesn't count against the budget: a client
may send its body in as many chunks as it likes."""

HEADER_FRAMING_BYTES = 4
"""Colon, blank and line end."""

MOST_PIPELINED = 100
"""Requests that wait for the answer of the one before. A packet of 256 KB can hold 10,000, of 3 KB each once parsed."""


LARGE_READ_BYTES = 8_192
"""A read of up to this size is parsed at once, mostly in 0.03 ms. A larger one waits for a slice of the event loop."""

PIECE_BYTES = 8_192
"""What is parsed between two looks at the clock: at most a millisecond, when it is all chunks of one byte."""


class _Stop(Exception):
    """Nothing more is parsed: raised in a callback, it ends the call of the parser."""


class Connection(HttpToolsProtocol):
    """`check` closes it when it is overdue, and must be called about once a second."""

    # Slots beside the parent's dictionary: with more names in it than share their keys it would take 1.5 KiB more.
    __slots__ = ("_answered", "_arriving_since", "_deaf", "_held", "_idle_since", "_in_head", "_overhead")

    flow: Intake

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Intake(transport)
        self._held = memoryview(b"")
        """Bytes that were read and wait to be parsed: at most one read, because reading is paused meanwhile."""
        self._arriving_since: float | None = None
        """When the incomplete request began."""
        self._idle_since = self.loop.time()
        self._in_head = False
        self._overhead = 0
        """Bytes of the arriving request that are no body. Those that came together with its beginning aren't counted:
        at most one read."""
        self._answered: RequestResponseCycle | None = None
        """The request that is being answered, else the last one."""
        self._deaf = False
        """Whether further bytes are thrown away, because the connection ends with the last answer."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it on a reset connection: it would hold this for 75 s
        if self._answered is not None:  # uvicorn tells only the newest one, which may wait behind it
            self._answered.disconnected = True
            self._answered.message_event.set()
        # A running handler holds the scope, which holds this connection. Without these cuts, only a full collection
        # would free the last request.
        self.pipeline.clear()
        self.scope = self.headers = self.cycle = self._answered = None  # type: ignore[assignment]
        self.url = b""
        self._deaf = True
        self._held = memoryview(b"")
        arrivals().discard(self)

    def data_received(self, data: bytes) -> None:
        if len(data) <= LARGE_READ_BYTES and not self._held:
            self._parse(memoryview(data))
            return
        self._held = memoryview(bytes(self._held) + data)
        self.flow.hold()
        arrivals().add(self)

    @property
    def is_arriving(self) -> bool:
        return self._arriving_since is not None

    def parse_held(self, turns: Turns) -> bool:
        """See `Held` in `service/web/server/arrivals.py`."""
        while self._held and not self._deaf and not self.transport.is_closing():
            piece, self._held = self._held[:PIECE_BYTES], self._held[PIECE_BYTES:]
            self._parse(piece)
            if self._held and turns.over:
                return False
        self._held = memoryview(b"")
        self.flow.release()
        return True

    def _parse(self, left: memoryview) -> None:
        self._unset_keepalive_if_required()
        if self._arriving_since is not None:
            self._overhead += len(left)
        while left and not self._deaf:
            try:
                self.parser.feed_data(left)
                left = left[:0]
            except httptools.HttpParserUpgrade as paused:
                left = left[paused.args[0] :]
                self._decline_upgrade()
            except httptools.HttpParserError:
                if not self._deaf:
                    self._refuse(400, "This is no request as RFC 9112 has it")
        self._check_sizes()

    def _decline_upgrade(self) -> None:
        """Parses the head again as if nothing had been offered.

        httptools takes the body of a request that offers an upgrade for the first bytes of the other protocol. A server
        that stays with HTTP/1.1 must read it as the body (RFC 9110 section 7.8).
        """
        head = head_without_upgrade(self.scope["method"], self.url, self.scope["http_version"], self.headers)
        self.parser = self._new_parser()
        self.parser.feed_data(head)

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return parser

    def _check_sizes(self) -> None:
        if self._deaf or self._arriving_since is None:
            return
        if self._overhead - len(self.url) > MAX_HEADERS_BYTES or len(self.url) > MAX_URL_BYTES:
            self._refuse(431, f"Headers must not be over {MAX_HEADERS_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: Any = {EXTENSION: self}
        self.scope["extensions"] = extensions
        self._arriving_since = self.loop.time()
        self._in_head = True
        self._overhead = 0

    def on_url(self, url: bytes) -> None:
        # A long URL comes in many pieces. Joining them as bytes would copy all of it for each.
        if self.url and isinstance(self.url, bytes):
            self.url = bytearray(self.url)  # type: ignore[assignment]
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # a trailer is no header, though httptools tells of both alike (RFC 9110 section 6.5.1)
            super().on_header(name, value.rstrip(b" \t"))  # RFC 9110 section 5.5; httptools leaves tabs there

    def on_headers_complete(self) -> None:
        self._in_head = False
        version, method = self.parser.get_http_version(), self.parser.get_method().decode()
        if sum(len(name) + len(value) + HEADER_FRAMING_BYTES for name, value in self.headers) > MAX_HEADERS_BYTES:
            self._refuse(431, f"Headers must not be over {MAX_HEADERS_BYTES} bytes")
            raise _Stop
        problem = framing_problem(method, version, self.headers)
        if problem:
            self._refuse(400, problem)
            raise _Stop
        if self.parser.should_upgrade():
            self.scope["method"], self.scope["http_version"] = method, version
            return
        if len(self.pipeline) >= MOST_PIPELINED:
            self._end_after_answers()
            raise _Stop
        # uvicorn's parser of URLs counts in 16 bits, and 500 ids in a query may be longer than that.
        url = memoryview(self.url)
        mark = self.url.find(b"?")
        self.url = bytes(url[:mark] if mark >= 0 else url)
        super().on_headers_complete()
        if mark >= 0:  # nobody has looked yet: whoever answers begins when this returns
            self.scope["query_string"] = bytes(url[mark + 1 :])

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        self._answered = cycle
        is_old = cycle.scope["http_version"] == "1.0"
        super()._start_asgi_task(cycle, until_close(app, cycle) if is_old else app)  # type: ignore[arg-type]

    def on_chunk_header(self) -> None:
        self._overhead -= CHUNK_FRAMING_BYTES

    def on_body(self, body: bytes) -> None:
        self._overhead -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # it is parsed again, with its body
        self._arriving_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def check(self, now: float) -> None:
        """Closes the connection when its client is overdue."""
        if self._arriving_since is not None:
            overdue = now - self._arriving_since > (HEAD_S if self._in_head else WHOLE_S)
        else:  # bytes that begin no request don't count
            may_idle_s = HEAD_S if self._is_new() else KEEP_ALIVE_S
            overdue = not self._is_answering() and now - self._idle_since > may_idle_s
        if overdue:
            self.transport.close()

    @property
    def is_full(self) -> bool:
        """See `service/web/server/link.py`, also for the next two."""
        return self.flow.write_paused

    async def writable(self) -> None:
        await self.flow.drain()

    def hold_nothing(self) -> None:
        if self.transport.is_closing():
            return
        self.transport.set_write_buffer_limits(high=0)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # As soon as the kernel has anything left to send it takes no more: what comes next is newer. A client with
            # a small buffer that was frozen for 12 s reads 34 stale blocks, with 4 KiB 51, by default up to 1,008.
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1)

    def _is_new(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None

    def _is_answering(self) -> bool:
        return not self._is_new() and not self.cycle.response_complete

    def _refuse(self, status: int, message: str) -> None:
        """Answers the arriving request with this error, if it can still be answered; then the connection ends."""
        is_handled = not self._is_new() and self.cycle.scope is self.scope
        if self._is_answering() and (not is_handled or self.cycle.response_started or self.pipeline):
            self._end_after_answers()
            return
        self._deaf = True
        if is_handled:
            self.cycle.disconnected = True  # its handler gives up, and sends nothing
            self.cycle.message_event.set()
        if not is_handled or not self.cycle.response_complete:
            self.transport.write(refusal_on_the_wire(status, message))
        self.transport.close()

    def _end_after_answers(self) -> None:
        """Reads no further request: the client sends those again that get no answer (RFC 9112 section 9.3.2)."""
        self._deaf = True
        self.cycle.keep_alive = False


def check_all(connections: set[Any], now: float) -> None:
    """Closes the connections of overdue clients."""
    for connection in [each for each in connections if isinstance(each, Connection)]:
        connection.check(now)
