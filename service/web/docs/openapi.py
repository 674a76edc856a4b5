"""`/openapi.json`: the HTTP API as OpenAPI 3.1. Never decides behaviour; tests compare the document with it."""

from service.version import VERSION
from service.web.api import count, filters
from service.web.docs.openapi_components import (
    COUNTS_HEADERS,
    HEADERS,
    PARAMETERS,
    SCHEMAS,
    Json,
    error_responses,
    errors,
    good_response,
    json_content,
    obj,
    parameters,
    reference,
)
from service.web.docs.openapi_form import SCHEMAS as FORM_SCHEMAS
from service.web.docs.openapi_form import form_paths
from service.web.docs.openapi_preview import SCHEMAS as PREVIEW_SCHEMAS
from service.web.docs.openapi_preview import preview_paths
from service.web.docs.openapi_streams import SCHEMAS as STREAM_SCHEMAS
from service.web.docs.openapi_streams import stream_paths

CALLER = ("tenant", "realm", "support", "type", "module")
CALLER_ERRORS = (400, 401, 403, 404, 405, 429, 431, 500, 503)


def openapi() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ticket Counts",
            "version": VERSION,
            "description": "Exact, live ticket counts. All numbers of an answer are from one atomic read.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "counts", "description": "Counts of tickets, for callers with a token."},
            {"name": "operation", "description": "For orchestrators and monitoring."},
            {"name": "documents", "description": "What this service is."},
        ],
        "paths": {
            count.PATH: {"post": _post_count(), "get": _get_count()},
            filters.PATH: {"get": _get_filters()},
            **preview_paths(),
            **stream_paths(),
            **form_paths(),
            "/healthz": {"get": _plain("healthz", "operation", "Whether the process is alive.", _health("alive"))},
            "/livez": {"get": _plain("livez", "operation", "The same as /healthz.", _health("alive"))},
            "/readyz": {"get": _ready()},
            "/metrics": {"get": _plain("metrics", "operation", "Metrics for Prometheus.", _text("text/plain"))},
            "/openapi.json": {
                "get": _plain("openapi", "documents", "This document.", json_content({"type": "object"}))
            },
            "/asyncapi.json": {
                "get": _plain("asyncapi", "documents", "The events in.", json_content({"type": "object"}))
            },
            "/docs": {"get": _plain("docs", "documents", "Both documents for people.", _text("text/html"))},
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "schemas": SCHEMAS | PREVIEW_SCHEMAS | STREAM_SCHEMAS | FORM_SCHEMAS,
            "responses": error_responses(),
        },
    }


def _post_count() -> Json:
    return {
        "operationId": "postTicketCount",
        "tags": ["counts"],
        "summary": "Counts of filters, with a summary.",
        "description": "Unknown query and body fields are ignored, `null` is as if left out but for `filterIds`.",
        "security": [{"bearer": []}],
        "parameters": parameters(CALLER),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": reference("schemas", "CountRequest")}},
        },
        "responses": {"200": good_response("CountAnswer", COUNTS_HEADERS)} | errors((*CALLER_ERRORS, 413, 415, 422)),
    }


def _get_count() -> Json:
    headers = {"ETag": reference("headers", "ETag"), **COUNTS_HEADERS}
    return {
        "operationId": "getTicketCount",
        "tags": ["counts"],
        "summary": "The same counts, with an ETag.",
        "security": [{"bearer": []}],
        "parameters": parameters((*CALLER, "filterIds", "timezone", "profile", "ifNoneMatch")),
        "responses": {
            "200": good_response("CountAnswer", headers),
            "304": {"description": "The client has this answer already.", "headers": headers},
        }
        | errors((*CALLER_ERRORS, 422)),
    }


def _get_filters() -> Json:
    return {
        "operationId": "getTicketFilters",
        "tags": ["counts"],
        "summary": "What this caller may ask to be counted.",
        "description": "`all` first, then statuses and priorities in their order, then filters and profiles by name.",
        "security": [{"bearer": []}],
        "parameters": parameters(CALLER),
        "responses": {"200": good_response("FiltersAnswer", {})} | errors(CALLER_ERRORS),
    }


def _ready() -> Json:
    checks = {
        "status": {"enum": ["ready", "not ready"]},
        "store": {"type": "boolean"},
        "catalogue": {"type": "boolean"},
    }
    answer = json_content(obj(checks, additionalProperties=False))
    operation = _plain("readyz", "operation", "Whether answers can be given.", {"description": "They can.", **answer})
    operation["responses"]["503"] = {"description": "The store is away, or never had the whole catalogue.", **answer}
    return operation


def _plain(name: str, tag: str, summary: str, answer: Json) -> Json:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": [],
        "responses": {"200": {"description": summary, **answer}} | errors((405, 500)),
    }


def _health(status: str) -> Json:
    return json_content(obj({"status": {"const": status}}, additionalProperties=False))


def _text(media_type: str) -> Json:
    return {"content": {media_type: {"schema": {"type": "string"}}}}
