"""CORS for the pages of exactly named origins: answers preflights and adds headers. Never takes a pattern of origins.

Credentials are allowed, because an `EventSource` sends a cookie. So a listed origin can act for its user.
"""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

ALLOWED_HEADERS = (
    "authorization", "content-type", "if-none-match", "issupportrequest", "last-event-id", "realmname", "x-tenantid",
)  # fmt: skip
"""Request headers that the API reads, beyond those that every page may send."""

EXPOSED_HEADERS = (
    "etag", "retry-after", "www-authenticate", "x-counts-as-of", "x-counts-catalogue", "x-counts-fresh",
    "x-counts-position", "x-counts-timers", "x-counts-version",
)  # fmt: skip
"""Response headers that a page may read."""

PREFLIGHT_AGE_S = 7_200
"""Seconds for which a browser may cache a preflight: the most that Chromium allows."""


def cors(origins: Sequence[str]) -> Middleware:
    """The middleware for the pages of these origins."""
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=ALLOWED_HEADERS,
        allow_credentials=True,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_AGE_S,
    )
