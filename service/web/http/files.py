"""Replies with the files of pages. Never decides what a page may load."""

import hashlib
from pathlib import PurePath

from service.web.http.replies import Reply

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
