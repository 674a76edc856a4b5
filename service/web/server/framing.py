"""Decides whether the end of a request is certain, and answers when it isn't. Never parses bytes.

RFC 9112 section 11.2: a server that reads the end of a request elsewhere than the proxy before it serves the bytes of
one request as another's. So a request that two readers may read differently is refused, and its connection closed.
"""

from http import HTTPStatus

from service.clock import SystemClock
from service.web.http.errors import Code, Refused
from service.web.http.hosts import HOST
from service.web.http.replies import NOSNIFF, Headers, refusal

VERSIONS = ("1.1", "1.0")


def framing_problem(method: str, version: str, headers: Headers) -> str:
    """Returns why the request's end or host is uncertain; "" when both are clear.

    Names of headers are in lower case.
    """
    if version not in VERSIONS:
        return "HTTP/1.1 and HTTP/1.0 are spoken here"
    if method == "CONNECT":  # what follows it may be a tunnel's first bytes
        return "This is no proxy"
    hosts = [value for name, value in headers if name == b"host"]
    if (
        len(hosts) > 1 or (version == "1.1" and not hosts) or not all(map(HOST.fullmatch, hosts))
    ):  # RFC 9112 section 3.2
        return "There must be one Host header, with a host name and a port if any"
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and (version == "1.0" or codings != [b"chunked"]):  # RFC 9112 section 6.1
        return "Transfer-Encoding must be chunked, once, in HTTP/1.1"
    return ""


def head_without_upgrade(method: str, target: bytes, version: str, headers: Headers) -> bytes:
    """The head of a parsed request on the wire, without the other protocol that it offers."""
    lines = [f"{method} ".encode() + target + f" HTTP/{version}".encode()]
    lines += [b"%s: %s" % (name, value) for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def refusal_on_the_wire(status: int, message: str) -> bytes:
    """Returns a complete error response. The connection is closed after it."""
    reply = refusal(Refused(Code.INVALID_REQUEST, message), SystemClock().now_us())
    headers = [NOSNIFF, *reply.raw_headers, (b"connection", b"close")]
    lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
    lines += [b"%s: %s" % header for header in headers]
    return b"\r\n".join([*lines, b"", bytes(reply.body)])
