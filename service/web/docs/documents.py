"""The API documents and the page made of them, built when they are first asked for. They never change after that."""

from collections.abc import Callable, Sequence

import msgspec
from starlette.routing import Route

from service.web.docs.asyncapi import asyncapi
from service.web.docs.docs_page import HEADERS, docs_page
from service.web.docs.openapi import openapi
from service.web.http.endpoint import Endpoint, ExactRoute
from service.web.http.replies import Reply, document
from service.web.http.requests import Request
from service.web.models.operation import PUBLIC_ERRORS, Answer, Operation, described, refusals


class Document(Endpoint):
    """The endpoint of a document for machines. Generating one takes some 15 ms, which most processes never spend."""

    def __init__(self, build: Callable[[], Reply]) -> None:
        self._build = build
        self._reply: Reply | None = None

    @described(
        Operation(
            "",
            "documents",
            {200: Answer("The document.", dict)} | refusals(*PUBLIC_ERRORS),
            token=False,
        )
    )
    async def get(self, request: Request) -> Reply:
        """Describes this service for machines."""
        if self._reply is None:
            self._reply = self._build()
        return self._reply


class Page(Document):
    """The endpoint of the page for people."""

    @described(
        Operation(
            "docs",
            "documents",
            {200: Answer("The page.", str, media_types=("text/html",))} | refusals(*PUBLIC_ERRORS),
            token=False,
        )
    )
    async def get(self, request: Request) -> Reply:
        """Describes this service for people."""
        return await super().get(request)


def document_routes(routes: Sequence[Route]) -> list[ExactRoute]:
    """The documents that describe these routes, for machines. The last one is the page for people."""
    every: list[Route] = list(routes)
    found = [
        ExactRoute("/openapi.json", Document(lambda: document(msgspec.json.encode(openapi(every))))),
        ExactRoute("/openapi-3.2.json", Document(lambda: document(msgspec.json.encode(openapi(every, "3.2.0"))))),
        ExactRoute("/asyncapi.json", Document(lambda: document(msgspec.json.encode(asyncapi())))),
        ExactRoute("/docs", Page(lambda: Reply(200, HEADERS, docs_page(openapi(every), asyncapi())))),
    ]
    every += found
    return found
