"""One HTTP connection: uvicorn's, with limits on what and how slowly a client may send. Never answers a whole request.

uvicorn has no deadline for a request's arrival and no limit for its head; who is silent, drips or sends half a body
would hold a connection for ever. It also is the link that lets streams see whether their client takes what is sent.
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.clock import SystemClock
from service.web.errors import Code, Refused
from service.web.push.link import EXTENSION
from service.web.query import MAX_QUERY_BYTES
from service.web.replies import refusal

KEEP_ALIVE_S = 75
"""Longer than the 60 s after which common proxies drop an idle connection: so they close it, and no request is lost."""

HEAD_S = 10.0
"""From a connection's or a request's first byte to the end of its headers: one packet, or three on a bad line."""

WHOLE_S = 15.0
"""From a request's first byte to its last: longer than a handler waits for a body, so that it can say so itself."""

MAX_HEADERS_BYTES = 65_536
"""The longest token that is taken, and 16 KiB for cookies and whatever proxies add."""

MAX_URL_BYTES = MAX_QUERY_BYTES + 8_192
"""A query that is too long for a handler still comes through to it: refusing it is its business."""


class Connection(HttpToolsProtocol):
    """`check` has to be called every second or so; what is overdue then is closed."""

    # Slots beside the parent's dictionary: with more names in it than share their keys it would take 1.5 KiB more.
    __slots__ = ("_arriving_since", "_head_bytes", "_idle_since", "_in_head", "_refused")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arriving_since: float | None = None
        """When the request that is not whole yet began."""
        self._idle_since = self.loop.time()
        self._in_head = False
        self._head_bytes = 0
        self._refused = False

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:  # so all of it is head; what came together with its beginning isn't counted
            self._head_bytes += len(data)
            if self._head_bytes - len(self.url) > MAX_HEADERS_BYTES or len(self.url) > MAX_URL_BYTES:
                self._refuse_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions: Any = {EXTENSION: self}
        self.scope["extensions"] = extensions
        self._arriving_since = self.loop.time()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEADERS_BYTES:
            self._refuse_head()
        elif not self._refused:
            # uvicorn's parser of URLs counts in 16 bits, and 500 ids in a query may be longer than that.
            self.url, mark, query = self.url.partition(b"?")
            super().on_headers_complete()
            if mark:  # nobody has looked yet: whoever answers begins when this returns
                self.scope["query_string"] = query

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving_since = None
        if not self._refused:
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
        """See `push.link`, also for the next two."""
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

    def _refuse_head(self) -> None:
        """RFC 6585 section 5, in the envelope of all errors."""
        self._refused, self._in_head = True, False
        if self._is_answering():
            self.transport.abort()  # nothing can be said in the middle of another answer
            return
        refused = Refused(Code.INVALID_REQUEST, f"Headers must not be over {MAX_HEADERS_BYTES} bytes")
        body = refusal(refused, SystemClock().now_us()).body
        head = (
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\nconnection: close\r\n"
        )
        self.transport.write(b"%scontent-length: %d\r\n\r\n%s" % (head, len(body), body))
        self.transport.close()


def check_all(connections: set[Any], now: float) -> None:
    """Closes those whose clients are overdue."""
    for connection in [each for each in connections if isinstance(each, Connection)]:
        connection.check(now)
