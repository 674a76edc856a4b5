"""The API documents and the page made of them, built once. They never change while the process runs."""

import msgspec

from service.web.docs.asyncapi import asyncapi
from service.web.docs.docs_page import HEADERS, docs_page
from service.web.docs.openapi import openapi
from service.web.http.endpoint import Endpoint, Handler
from service.web.http.replies import Reply, document
from service.web.http.requests import Request


def document_endpoints() -> dict[str, Endpoint]:
    """Path -> endpoint of a document for machines."""
    return {
        "/openapi.json": Endpoint({"GET": _always(document(msgspec.json.encode(openapi())))}),
        "/asyncapi.json": Endpoint({"GET": _always(document(msgspec.json.encode(asyncapi())))}),
    }


def docs_endpoint() -> Endpoint:
    """The page for people."""
    return Endpoint({"GET": _always(Reply(200, HEADERS, docs_page(openapi(), asyncapi())))})


def _always(reply: Reply) -> Handler:
    async def answer(request: Request) -> Reply:
        return reply

    return answer
