"""Conditional requests: whether the client has this answer already. RFC 9110 section 13.1.2."""

import re

from service.web.http.requests import Request

ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
"""RFC 9110 section 8.8.3; `If-None-Match` compares weakly, so `W/` says nothing."""


def is_not_modified(request: Request, etag: bytes) -> bool:
    """Whether `If-None-Match`, in one line or several, names this entity tag, be it weak or strong, or any."""
    if request.header(b"if-none-match") is None:
        return False
    sent = b",".join(request.all(b"if-none-match"))
    return sent.strip() == b"*" or etag.removeprefix(b"W/") in ENTITY_TAG.findall(sent)
