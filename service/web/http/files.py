"""Endpoints whose answer never changes while the process runs, and the files of pages among them.

Never decides what a page may load.
"""

import hashlib
from pathlib import PurePath

from service.web.http.endpoint import Endpoint
from service.web.http.etag import is_not_modified
from service.web.http.replies import Reply
from service.web.http.requests import Request

KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


def file_reply(name: str, body: bytes, policy: str) -> Reply:
    """Returns the reply with this file under a Content-Security-Policy.

    Its `etag` is of what it holds, not of its time: an image's files may all have the same one. `no-cache` has browsers
    revalidate each file, mostly with a 304, so that a page never mixes files of two versions.
    """
    headers = [
        (b"content-type", KINDS[PurePath(name).suffix]),
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
        (b"etag", f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'.encode()),
    ]
    return Reply(200, headers, body)


class Fixed(Endpoint):
    """Always the same reply, and 304 for clients that have it already where it has an `etag`."""

    def __init__(self, reply: Reply) -> None:
        self._whole = reply
        self._etag = dict(reply.raw_headers).get(b"etag")
        unchanging = [header for header in reply.raw_headers if header[0] not in (b"content-type", b"content-length")]
        self._unchanged = Reply(304, unchanging, b"")

    async def get(self, request: Request) -> Reply:
        """Answers with the reply."""
        has_it = self._etag is not None and is_not_modified(request, self._etag)
        return self._unchanged if has_it else self._whole
