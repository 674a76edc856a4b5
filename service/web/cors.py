"""Pages of other origins that may ask, by exact name: their preflights, and the headers on their answers.

Credentials are allowed, for the cookie of an `EventSource`; so no pattern is: whoever is in the list acts for its user.
"""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

ALLOWED_HEADERS = (
    "authorization", "content-type", "if-none-match", "issupportrequest", "last-event-id", "realmname", "x-tenantid",
)  # fmt: skip
"""What the API reads of a request beyond what every page may send."""

EXPOSED_HEADERS = (
    "etag", "retry-after", "www-authenticate", "x-counts-as-of", "x-counts-catalogue", "x-counts-fresh",
    "x-counts-position", "x-counts-timers", "x-counts-version",
)  # fmt: skip
"""What a page may read of an answer beyond its body."""

PREFLIGHT_AGE_S = 7_200
"""How long a browser remembers a preflight: the most that Chromium does."""


def with_origins(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application, answering pages of these origins too; itself where there are none."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST"),
        allow_headers=ALLOWED_HEADERS,
        allow_credentials=True,
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_AGE_S,
    )
