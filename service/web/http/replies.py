"""Complete replies: their values and envelopes. Never decides what a reply says."""

from typing import Any

import msgspec
from starlette.responses import Response

from service.domain.tickets.instant import format_instant
from service.domain.tickets.ticket import Instant
from service.web.http.errors import Refused

Headers = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")

NOSNIFF = (b"x-content-type-options", b"nosniff")
"""On every response: the server sends it before the response's own headers."""

encode = msgspec.json.Encoder().encode


class Reply(Response):
    """A complete response, from ready headers with names in lower case. 304 (RFC 9110 section 15.4.5) has no length."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status_code = status
        self.body = body
        self.raw_headers = headers if status == 304 else [*headers, (b"content-length", b"%d" % len(body))]
        self.background = None


def success(message: str, data: Any, now: Instant, headers: Headers) -> Reply:
    """Returns the reply in the success envelope."""
    body = {"success": True, "message": message, "data": data, "timestamp": format_instant(now)}
    return Reply(200, [JSON, *headers], encode(body))


def document(body: bytes, content_type: str = "application/json", status: int = 200) -> Reply:
    """Returns a reply without an envelope."""
    return Reply(status, [(b"content-type", content_type.encode())], body)


def refusal(refused: Refused, now: Instant) -> Reply:
    """Returns the reply in the error envelope."""
    error = {"code": refused.code, "message": refused.message, "details": refused.details}
    body = {"success": False, "error": error, "timestamp": format_instant(now)}
    headers: Headers = [JSON, (b"cache-control", b"no-store")]
    headers += [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    return Reply(refused.status, headers, encode(body))
