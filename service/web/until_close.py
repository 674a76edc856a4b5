"""Answers without a length to HTTP/1.0 clients: ended by closing the connection (RFC 9112 section 6.3).

uvicorn sends chunks to every client, and a 1.0 client takes their framing for content.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


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
