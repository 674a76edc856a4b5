"""Serves the page at `/` and its files, which it reads once. Never counts: the page uses the API like any client."""

import asyncio
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from service.web.http.endpoint import Endpoint, ExactRoute
from service.web.http.files import KINDS, Fixed, file_reply
from service.web.http.hosts import host_name, is_loopback
from service.web.http.replies import JSON, Reply
from service.web.http.requests import Request

FOLDER = "/dashboard"
PAGE = "index.html"

SIGN_IN_PATH = "/development-sign-in.json"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types ticket-counts"
)
"""Nothing inline, nothing from other origins, no form submission, and no text that becomes HTML: browsers with trusted
types refuse `innerHTML` and the like. The only allowed policy makes the address of the client's worker."""


def page_routes(sign_in: str) -> list[ExactRoute]:
    """The page and its files. `sign_in` is the file with the tokens that a demo gives to the page; "" for none."""
    served = [
        ExactRoute(
            "/" if each.name == PAGE else f"{FOLDER}/{each.name}",
            Fixed(file_reply(each.name, each.read_bytes(), POLICY)),
        )
        for folder in ("static", "scripts", "client")
        for each in files("service.web.dashboard").joinpath(folder).iterdir()
        if Path(each.name).suffix in KINDS
    ]
    return [*served, ExactRoute(SIGN_IN_PATH, Viewers(Path(sign_in) if sign_in else None))]


class Viewers(Endpoint):
    """The endpoint of the demo's viewers and their tokens; none outside a demo, and before it has written the file.

    A request under a host name that isn't loopback's gets none: with DNS rebinding, another site's page could send it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    async def get(self, request: Request) -> Reply:
        """Answers with the viewers."""
        body = b'{"viewers": []}'
        if self._path is not None and is_loopback(host_name(request.scope["headers"])):
            with suppress(FileNotFoundError):
                body = await asyncio.to_thread(self._path.read_bytes)  # each time: a new demo writes new tokens
        return Reply(200, [JSON, (b"cache-control", b"no-store")], body)
