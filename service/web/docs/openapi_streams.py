"""The part of the OpenAPI document about streams of server-sent events. Never describes what whole answers say."""

from service.web.api import streaming
from service.web.docs.openapi_components import (
    COUNT,
    INSTANT,
    PARAMETERS,
    Json,
    errors,
    good_response,
    obj,
    parameters,
    query_parameter,
    reference,
)

CALLER = ("tenant", "realm", "support", "type", "module")
ASKED = ("filterIds", "timezone", "profile")
ERRORS = (400, 401, 403, 404, 405, 422, 429, 431, 500, 503)

IDENTITY: Json = {"type": "string", "pattern": r"^[0-9a-f]+\.[0-9]+\.[A-Za-z0-9_-]+$"}
AS_OF: Json = {"oneOf": [INSTANT, {"type": "null"}]}
COUNTS: Json = {"type": "object", "additionalProperties": COUNT}
CHANGED_SUMMARY: Json = {"type": "object", "additionalProperties": COUNT}

TICKET = query_parameter(
    "ticket", {"type": "string"}, "A stream ticket, instead of all headers and other parameters.", required=False
)
LAST_EVENT_ID = "The last id received: `current` comes instead of `snapshot` when nothing changed since."
LAST_EVENT_ID_QUERY = query_parameter("last_event_id", {"type": "string"}, LAST_EVENT_ID, required=False)
LAST_EVENT_ID_HEADER: Json = {**LAST_EVENT_ID_QUERY, "name": "last-event-id", "in": "header"}

SCHEMAS: Json = {
    "StreamSnapshot": obj(
        {
            "counts": COUNTS,
            "filterDetails": {"type": "object", "additionalProperties": reference("schemas", "FilterDetail")},
            "summary": reference("schemas", "Summary"),
            "computedAt": INSTANT,
            "asOf": AS_OF,
            "fresh": {"type": "boolean"},
            "timezone": {"type": "string"},
            "version": IDENTITY,
        },
        additionalProperties=False,
    ),
    "StreamCounts": obj(
        {"counts": COUNTS, "summary": CHANGED_SUMMARY, "computedAt": INSTANT, "asOf": AS_OF, "version": IDENTITY},
        additionalProperties=False,
        description="Absolute values of what changed, and of nothing else.",
    ),
    "StreamHeartbeat": obj(
        {"version": IDENTITY, "asOf": AS_OF, "fresh": {"type": "boolean"}}, additionalProperties=False
    ),
    "StreamBye": obj(
        {"reason": {"enum": ["drain", "rotation", "expired", "access", "overload"]}, "version": IDENTITY},
        additionalProperties=False,
    ),
    "StreamTicketAnswer": obj(
        {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": obj({"ticket": {"type": "string"}, "expiresIn": {"type": "integer", "minimum": 1}}),
            "timestamp": INSTANT,
        }
    ),
}

EVENTS: Json = {
    "snapshot": reference("schemas", "StreamSnapshot"),
    "counts": reference("schemas", "StreamCounts"),
    "current": reference("schemas", "StreamHeartbeat"),
    "heartbeat": reference("schemas", "StreamHeartbeat"),
    "bye": reference("schemas", "StreamBye"),
}


def stream_paths() -> Json:
    """Path -> its operations."""
    return {
        streaming.PATH: {"get": _get_stream(), "post": _post_stream()},
        streaming.TICKET_PATH: {"post": _post_ticket()},
    }


def _post_stream() -> Json:
    return {
        "operationId": "postTicketCountStream",
        "tags": ["counts"],
        "summary": "Counts, and then every change of them.",
        "description": "Ends at the token's expiry. Each id names what the client then shows.",
        "security": [{"bearer": []}],
        "parameters": [*parameters(CALLER), LAST_EVENT_ID_HEADER, LAST_EVENT_ID_QUERY],
        "requestBody": _body(),
        "responses": {"200": _events()} | errors((*ERRORS, 413, 415)),
    }


def _get_stream() -> Json:
    optional = [{**PARAMETERS[name], "required": False} for name in (*CALLER, *ASKED)]
    return {
        "operationId": "getTicketCountStream",
        "tags": ["counts"],
        "summary": "The same stream, for an EventSource too.",
        "description": "Either with all headers and parameters of the count, or with a ticket and nothing else.",
        "security": [{"bearer": []}, {}],
        "parameters": [*optional, TICKET, LAST_EVENT_ID_HEADER, LAST_EVENT_ID_QUERY],
        "responses": {"200": _events()} | errors(ERRORS),
    }


def _post_ticket() -> Json:
    return {
        "operationId": "postTicketCountStreamTicket",
        "tags": ["counts"],
        "summary": "A ticket that opens one stream.",
        "description": "For EventSource, which can't send headers. It is spent once, within `expiresIn` seconds; a "
        "cookie of its own then keeps reconnects to the same URL working until the token expires.",
        "security": [{"bearer": []}],
        "parameters": parameters(CALLER),
        "requestBody": _body(),
        "responses": {"200": good_response("StreamTicketAnswer", {})} | errors((*ERRORS, 413, 415)),
    }


def _body() -> Json:
    return {"required": True, "content": {"application/json": {"schema": reference("schemas", "CountRequest")}}}


def _events() -> Json:
    # OpenAPI 3.1 can't say what the events of a stream are: their data is named in an extension.
    content = {"schema": {"type": "string"}, "x-event-data": EVENTS}
    return {
        "description": "Server-sent events: first `snapshot` or `current`, then `counts`, `heartbeat`, at last `bye`.",
        "content": {"text/event-stream": content},
    }
