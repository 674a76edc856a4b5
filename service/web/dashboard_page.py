"""The page at `/` and its files, read once. Knows nothing of counts: the page asks for them as any client does."""

import asyncio
from importlib.resources import files
from pathlib import Path

from service.web.endpoint import Endpoint, Handler
from service.web.errors import Code, Refused
from service.web.replies import Headers, Reply
from service.web.requests import Request

FILES = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/dashboard/dashboard.css": ("dashboard.css", b"text/css; charset=utf-8"),
    "/dashboard/icon.svg": ("icon.svg", b"image/svg+xml"),
    "/dashboard/dashboard.js": ("dashboard.js", b"text/javascript; charset=utf-8"),
}

SIGN_IN_PATH = "/development-sign-in.json"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere."""

HEADERS: Headers = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
]


def dashboard_endpoints(sign_in: str) -> dict[str, Endpoint]:
    """Path -> endpoint. `sign_in` names the file with the tokens that a demo hands to the page; "" for none."""
    folder = files("service.web").joinpath("dashboard")
    endpoints = {
        path: Endpoint({"GET": _always([(b"content-type", kind), *HEADERS], folder.joinpath(name).read_bytes())})
        for path, (name, kind) in FILES.items()
    }
    endpoints[SIGN_IN_PATH] = Endpoint({"GET": _file(Path(sign_in)) if sign_in else _nothing})
    return endpoints


def _always(headers: Headers, body: bytes) -> Handler:
    reply = Reply(200, headers, body)

    async def answer(request: Request) -> Reply:
        return reply

    return answer


def _file(path: Path) -> Handler:
    async def answer(request: Request) -> Reply:
        try:
            body = await asyncio.to_thread(path.read_bytes)  # each time: a demo renews its tokens
        except FileNotFoundError:
            return await _nothing(request)
        return Reply(200, [(b"content-type", b"application/json"), (b"cache-control", b"no-store")], body)

    return answer


async def _nothing(request: Request) -> Reply:
    raise Refused(Code.NOT_FOUND, "There is nothing at this path")
