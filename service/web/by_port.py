"""Two applications behind one server, told apart by the port that a request came to. Answers nothing itself."""

from starlette.types import ASGIApp, Receive, Scope, Send


class ByPort:
    """`inside` for requests to this port, `outside` for all others."""

    def __init__(self, port: int, inside: ASGIApp, outside: ASGIApp) -> None:
        self._port = port
        self._inside = inside
        self._outside = outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        app = self._inside if server is not None and server[1] == self._port else self._outside
        await app(scope, receive, send)
