"""A path's handlers by method, as an ASGI application, and its route. Answers no error that is expected."""

from typing import Any

import structlog
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.failures import ANSWERED
from service.web.http.errors import internal_error
from service.web.http.requests import Request

log = structlog.stdlib.get_logger(__name__)

HANDLERS = {"GET": "get", "HEAD": "get", "POST": "post"}
"""Method -> name of its handler. HEAD is answered as GET is, and the server leaves the body out (RFC 9110 section
9.3.2)."""


class Endpoint:
    """A subclass has a handler `get`, `post` or both: from the request to a response, or to an application that streams
    one. Where the answer is a stream, which has no end whose headers one could ask for, there is no HEAD."""

    is_stream = False

    @property
    def methods(self) -> set[str]:
        """The methods that are answered."""
        methods = {method for method, handler in HANDLERS.items() if hasattr(self, handler)}
        return methods - {"HEAD"} if self.is_stream else methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(scope, receive)  # a stream keeps nothing of its request
        await response(scope, receive, send)

    async def _response(self, scope: Scope, receive: Receive) -> ASGIApp:
        try:
            response: ASGIApp = await getattr(self, HANDLERS[scope["method"]])(Request(scope, receive))
        except ANSWERED:
            raise
        except Exception as error:  # the last resort: the log gets the traceback, the caller gets no detail
            log.exception("request failed", path=scope["path"], method=scope["method"])
            raise internal_error(error) from None
        return response


class ExactRoute(Route):
    """A path has one spelling. Starlette's pattern takes one with a line feed at its end too."""

    def __init__(self, path: str, endpoint: ASGIApp) -> None:
        super().__init__(path, endpoint)
        if isinstance(endpoint, Endpoint):
            self.methods = endpoint.methods

    def matches(self, scope: Scope) -> tuple[Match, dict[str, Any]]:
        """Whether the path is this one, and the method is answered."""
        if scope["type"] != "http" or scope["path"] != self.path:
            return Match.NONE, {}
        is_answered = self.methods is None or scope["method"] in self.methods
        return Match.FULL if is_answered else Match.PARTIAL, {"endpoint": self.endpoint}
