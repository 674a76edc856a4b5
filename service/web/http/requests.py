"""A request's headers and body as bytes, read once and within limits. Never checks what they mean."""

import asyncio

from starlette.requests import ClientDisconnect
from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope

from service.web.http.errors import Code, Refused, invalid
from service.web.http.trace import Trace, trace_of

MAX_BODY_BYTES = 1_048_576
"""1 MiB, by the contract: 500 ids of 128 characters are far below it."""

BODY_TIMEOUT_S = 10.0
"""Longest wait for a body: 1 MiB in that time needs 1 Mbit/s; a dripping client holds its place no longer."""


class Request(StarletteRequest):
    """One HTTP request, with strict access to headers and body. Header names are bytes in lower case."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.trace: Trace = trace_of(scope)
        self._first: dict[bytes, bytes] = {}
        self._repeated: set[bytes] = set()
        for name, value in scope["headers"]:
            if name in self._first:
                self._repeated.add(name)
            else:
                self._first[name] = value

    def header(self, name: bytes) -> bytes | None:
        """Returns the first header of that name."""
        return self._first.get(name)

    def is_repeated(self, name: bytes) -> bool:
        """Returns whether it was sent more than once. A proxy may read the first one and we the second."""
        return name in self._repeated

    def all(self, name: bytes) -> list[bytes]:
        """Returns every value of a header that may have several lines."""
        return [value for sent, value in self.scope["headers"] if sent == name]

    @property
    def query(self) -> bytes:
        """The query as sent, still encoded."""
        query: bytes = self.scope["query_string"]
        return query

    async def body(self) -> bytes:
        """The whole body. Raises Refused when it is too large or too slow, ClientDisconnect when it never ends."""
        length = self._first.get(b"content-length", b"0")
        if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
            raise _too_large()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await self._whole_body()
        except TimeoutError:
            raise invalid("body", f"must arrive within {BODY_TIMEOUT_S:.0f} s") from None

    async def _whole_body(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise _too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large() -> Refused:
    return Refused(Code.PAYLOAD_TOO_LARGE, f"The body must not be over {MAX_BODY_BYTES} bytes")
