"""The API documents and their routes, built when they are first asked for. They never change after that."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from starlette.routing import Route

from service.web.docs.asyncapi import asyncapi
from service.web.docs.openapi import openapi
from service.web.docs.pages import FILES, PAGES
from service.web.http.endpoint import Endpoint, ExactRoute
from service.web.http.files import Fixed
from service.web.http.replies import Reply, document
from service.web.http.requests import Request
from service.web.models.operation import AnswerDescription, described, public_operation


class Built(Endpoint):
    """The endpoint of a reply that is built when it is first asked for, as most processes never are."""

    def __init__(self, build: Callable[[], Reply]) -> None:
        self._build = build
        self._fixed: Fixed | None = None

    async def get(self, request: Request) -> Reply:
        """Answers with the reply."""
        if self._fixed is None:
            self._fixed = Fixed(self._build())
        return await self._fixed.get(request)


class Document(Built):
    """The endpoint of a document for machines. Generating one takes some 15 ms."""

    @described(
        public_operation(
            "",
            "documents",
            {200: AnswerDescription("The document.", dict)},
        )
    )
    async def get(self, request: Request) -> Reply:
        """Describes this service for machines.

        The document changes only with the version.
        """
        return await super().get(request)


class Page(Built):
    """The endpoint of a page for people."""

    @described(
        public_operation(
            "",
            "documents",
            {200: AnswerDescription("The page.", str, media_types=("text/html",))},
        )
    )
    async def get(self, request: Request) -> Reply:
        """Describes this service for people.

        The page shows a document for machines, and loads nothing from elsewhere.
        """
        return await super().get(request)


class DocumentRoutes(NamedTuple):
    """The routes of documents for machines, and those of the pages for people with their files."""

    documents: list[ExactRoute]
    pages: list[ExactRoute]


def document_routes(routes: Sequence[Route]) -> DocumentRoutes:
    """Returns the routes of what describes these routes, and of what describes the events."""
    every: list[Route] = list(routes)
    documents = [
        ExactRoute("/openapi.json", Document(lambda: document(msgspec.json.encode(openapi(every))))),
        ExactRoute("/openapi-3.2.json", Document(lambda: document(msgspec.json.encode(openapi(every, "3.2.0"))))),
        ExactRoute("/asyncapi.json", Document(lambda: document(msgspec.json.encode(asyncapi())))),
    ]
    pages = [ExactRoute(path, Page(build)) for path, build in PAGES.items()]
    every += [*documents, *pages]
    return DocumentRoutes(documents, [*pages, *(ExactRoute(path, Built(build)) for path, build in FILES.items())])
