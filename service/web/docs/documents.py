"""The API documents and the page made of them, built once. They never change while the process runs."""

import msgspec

from service.web.docs.asyncapi import asyncapi
from service.web.docs.docs_page import HEADERS, docs_page
from service.web.docs.openapi import openapi
from service.web.http.endpoint import ExactRoute
from service.web.http.fixed import Fixed
from service.web.http.replies import Reply, document


def document_routes() -> list[ExactRoute]:
    """The documents for machines."""
    return [
        ExactRoute("/openapi.json", Fixed(document(msgspec.json.encode(openapi())))),
        ExactRoute("/asyncapi.json", Fixed(document(msgspec.json.encode(asyncapi())))),
    ]


def docs_route() -> ExactRoute:
    """The page for people."""
    return ExactRoute("/docs", Fixed(Reply(200, HEADERS, docs_page(openapi(), asyncapi()))))
