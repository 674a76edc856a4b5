"""Serves the page at `/` and its files, which it reads once. Never counts: the page uses the API like any client."""

import asyncio
import hashlib
from importlib.resources import files
from pathlib import Path

from service.web.http.endpoint import Endpoint, Handler
from service.web.http.etag import is_not_modified
from service.web.http.hosts import host_name, is_loopback
from service.web.http.replies import Headers, Reply
from service.web.http.requests import Request

FOLDER = "/dashboard"
PAGE = "index.html"

KINDS = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}

SIGN_IN_PATH = "/development-sign-in.json"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; worker-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types ticket-counts"
)
"""Nothing inline, nothing from other origins, no form submission, and no text that becomes HTML: browsers with trusted
types refuse `innerHTML` and the like. The only allowed policy makes the address of the client's worker."""

HEADERS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]
"""`no-cache` has browsers revalidate each file, mostly with a 304, so that a page never mixes files of two versions."""


def dashboard_endpoints(sign_in: str) -> dict[str, Endpoint]:
    """Returns path -> endpoint. `sign_in` is the file with the tokens that a demo gives to the page; "" for none."""
    endpoints = {
        "/" if each.name == PAGE else f"{FOLDER}/{each.name}": Endpoint({"GET": _static(each.name, each.read_bytes())})
        for folder in ("static", "scripts", "client")
        for each in files("service.web.dashboard").joinpath(folder).iterdir()
        if Path(each.name).suffix in KINDS
    }
    endpoints[SIGN_IN_PATH] = Endpoint({"GET": _viewers(Path(sign_in) if sign_in else None)})
    return endpoints


def _static(name: str, body: bytes) -> Handler:
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'.encode()
    headers = [*HEADERS, (b"etag", etag)]
    whole = Reply(200, [(b"content-type", KINDS[Path(name).suffix]), *headers], body)
    unchanged = Reply(304, headers, b"")

    async def answer(request: Request) -> Reply:
        return unchanged if is_not_modified(request, etag) else whole

    return answer


def _viewers(path: Path | None) -> Handler:
    """Answers with the demo's viewers and their tokens; with none outside a demo, and before it has written the file.

    A request under a host name that isn't loopback's gets none: with DNS rebinding, another site's page could send it.
    """
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    no_viewers = Reply(200, headers, b'{"viewers": []}')

    async def answer(request: Request) -> Reply:
        if path is None or not is_loopback(host_name(request.scope["headers"])):
            return no_viewers
        try:
            body = await asyncio.to_thread(path.read_bytes)  # at each request, because a new demo writes new tokens
        except FileNotFoundError:
            return no_viewers
        return Reply(200, headers, body)

    return answer
