"""The bare route that reads are compared with: takes a body, answers so many bytes, under the product's own server."""

import asyncio
import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.process.listener import BACKLOG, listen
from service.web.server.server import new_server

DRAIN_S = 1.0


def app(path: str, answer_bytes: int) -> Starlette:
    """`POST path` answers JSON of that size; `GET /readyz` is there to wait for."""
    answer = b'"' + b"x" * (answer_bytes - 2) + b'"'

    async def count(request: Request) -> Response:
        await request.body()
        return Response(answer, media_type="application/json")

    async def ready(_: Request) -> Response:
        return Response(b"ready")

    return Starlette(routes=[Route(path, count, methods=["POST"]), Route("/readyz", ready)])


def main(port: int, path: str, answer_bytes: int) -> None:
    """Serves until SIGTERM."""
    with listen("127.0.0.1", port) as listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        listener.listen(BACKLOG)
        runner.run(new_server(app(path, answer_bytes), DRAIN_S, lambda: None).serve(sockets=[listener]))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
