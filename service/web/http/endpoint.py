"""A path's handlers by method, as an ASGI application. Never handles what they raise."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.http.errors import Code, Refused
from service.web.http.replies import Reply, send_reply
from service.web.http.requests import Request

Handler = Callable[[Request], Awaitable[Reply | ASGIApp]]
"""Returns a whole reply, or an ASGI application that streams one."""


class Endpoint:
    """Answers the methods that have a handler, and refuses others before anything else.

    HEAD is answered as GET is, and the server leaves the body out (RFC 9110 section 9.3.2); not where the answer is a
    stream, which has no end whose headers one could ask for.
    """

    def __init__(self, handlers: Mapping[str, Handler], *, is_stream: bool = False) -> None:
        self._handlers = dict(handlers)
        if "GET" in handlers and not is_stream:
            self._handlers["HEAD"] = handlers["GET"]
        self._allowed = ", ".join(sorted(self._handlers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handlers.get(scope["method"])
        if handler is None:
            headers = {"allow": self._allowed}
            raise Refused(Code.METHOD_NOT_ALLOWED, "The method is not allowed here", headers=headers)
        reply = await handler(Request(scope, receive))
        if isinstance(reply, Reply):
            await send_reply(reply, send)
        else:
            await reply(scope, receive, send)


class Paths:
    """Finds the endpoint of a path. A path has one spelling: a redirect would drop the body of some clients."""

    def __init__(self, endpoints: Mapping[str, ASGIApp]) -> None:
        self._endpoints = dict(endpoints)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            raise Refused(Code.NOT_FOUND, "There is nothing at this path")
        await endpoint(scope, receive, send)
