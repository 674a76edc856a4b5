"""The reusable parts of the OpenAPI document: parameters, headers, schemas, errors. Never describes a path."""

from typing import Any

from service import timezones
from service.web.http.errors import STATUS, Code
from service.web.models.requests import MAX_FILTER_IDS

Json = dict[str, Any]

INSTANT: Json = {"type": "string", "format": "date-time", "examples": ["2025-07-10T12:34:56.789Z"]}
COUNT: Json = {"type": "integer", "minimum": 0}
# Ids and names hold any character; a JSON text can't hold half a surrogate pair, so none is accepted.
TEXT: Json = {"type": "string", "minLength": 1}


def reference(kind: str, name: str) -> Json:
    """A `$ref` to a component."""
    return {"$ref": f"#/components/{kind}/{name}"}


def obj(properties: Json, optional: tuple[str, ...] = (), **more: Any) -> Json:
    """An object of which all properties are required but the `optional` ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, **({"required": required} if required else {}), **more}


def _header(name: str, schema: Json, description: str, *, required: bool) -> Json:
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": description}


def query_parameter(name: str, schema: Json, description: str, *, required: bool) -> Json:
    """A parameter of the query."""
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


PARAMETERS: Json = {
    "tenant": _header(
        "x-tenantid", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, "The tenant, sent once.", required=True
    ),
    "realm": _header(
        "realmname",
        {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"},
        "The authentication realm, sent once.",
        required=True,
    ),
    "support": _header(
        "issupportrequest",
        {"type": "string", "enum": ["true", "false"]},
        "Recorded in the access log; changes no count.",
        required=False,
    ),
    "ifNoneMatch": _header(
        "if-none-match", {"type": "string"}, "The ETag of the answer that the client has.", required=False
    ),
    "type": query_parameter(
        "type",
        {"type": "string", "enum": ["template", "agent", "user"]},
        "The perspective; it only narrows what the role may see. `agent` needs ticket_agent or ticket_admin.",
        required=True,
    ),
    "module": query_parameter(
        "module", {"type": "string", "enum": ["ticketing"]}, "Always `ticketing`.", required=True
    ),
    "filterIds": {
        **query_parameter(
            "filterIds",
            {"type": "array", "minItems": 1, "items": TEXT},
            f"1 to {MAX_FILTER_IDS} distinct ids, with commas between; repeated, each is one whole id.",
            required=True,
        ),
        "style": "form",
        "explode": False,
    },
    "timezone": query_parameter(
        "timezone",
        reference("schemas", "TimeZone"),
        "IANA name in its exact letter case, links included.",
        required=False,
    ),
    "profile": query_parameter(
        "templateProfileFilterId",
        TEXT,
        "A saved profile that narrows every count and the summary.",
        required=False,
    ),
}

_HEADER_TEXTS = {
    "X-Counts-Version": ("`<epoch>.<version>`; grows with each change, never goes back within an epoch.", True),
    "X-Counts-Position": (
        "`<partition>:<next offset>,…`: all records below are in the numbers. Only where the installation shows it.",
        False,
    ),
    "X-Counts-Catalogue": ("Offset of the newest catalogue record in force for this tenant.", True),
    "X-Counts-Fresh": ("`false` when consumers are behind or silent for more than 5 s.", True),
    "X-Counts-Timers": ("The instant through which deadlines are applied.", False),
    "X-Counts-As-Of": ("The newest event time applied; absent before the first.", False),
}

HEADERS: Json = {
    name: {"description": text, "required": required, "schema": {"type": "string"}}
    for name, (text, required) in _HEADER_TEXTS.items()
} | {
    "ETag": {
        "description": '`W/"<epoch>.<version>.<view>"`; the view changes with all else that can change the answer.',
        "required": True,
        "schema": {"type": "string"},
    }
}

COUNTS_HEADERS: Json = {name: reference("headers", name) for name in _HEADER_TEXTS}

FILTER_TYPES = ["system", "status", "priority", "category", "assignment", "team", "time", "sla", "custom"]

SCHEMAS: Json = {
    "TimeZone": {"type": "string", "enum": sorted(timezones.names()), "default": timezones.DEFAULT},
    "CountRequest": obj(
        {
            "filterIds": {
                "type": "array",
                "minItems": 1,
                "items": TEXT,
                "description": f"1 to {MAX_FILTER_IDS} distinct ids, counted after duplicates are dropped.",
            },
            "templateProfileFilterId": {"type": ["string", "null"], "minLength": 1},
            "timezone": {"oneOf": [reference("schemas", "TimeZone"), {"type": "null"}]},
        },
        optional=("templateProfileFilterId", "timezone"),
    ),
    "FilterDetail": obj(
        {"id": TEXT, "name": {"type": "string"}, "type": {"enum": FILTER_TYPES}, "color": {"type": "string"}},
        optional=("color",),
        additionalProperties=False,
    ),
    "Summary": obj(
        dict.fromkeys(("totalOpen", "totalClosed", "slaBreached", "dueToday", "overdue"), COUNT),
        additionalProperties=False,
    ),
    "CountAnswer": obj(
        {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": obj(
                {
                    "counts": {"type": "object", "additionalProperties": COUNT},
                    "filterDetails": {
                        "type": "object",
                        "additionalProperties": reference("schemas", "FilterDetail"),
                    },
                    "summary": reference("schemas", "Summary"),
                    "computedAt": INSTANT,
                    "timezone": {"type": "string"},
                }
            ),
            "timestamp": INSTANT,
        }
    ),
    "FiltersAnswer": obj(
        {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": obj(
                {
                    "filters": {"type": "array", "items": reference("schemas", "FilterDetail")},
                    "profiles": {"type": "array", "items": obj({"id": TEXT, "name": {"type": "string"}})},
                }
            ),
            "timestamp": INSTANT,
        }
    ),
    "Error": obj(
        {
            "success": {"const": False},
            "error": obj(
                {
                    "code": {"enum": [code.value for code in Code]},
                    "message": {"type": "string"},
                    "details": {
                        "type": "object",
                        "properties": {
                            "field": {"type": "string"},
                            "invalidIds": {"type": "array", "items": {"type": "string"}},
                        },
                    },
                }
            ),
            "timestamp": INSTANT,
        }
    ),
}

ERROR_HEADERS: dict[int, Json] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    405: {"Allow": {"required": True, "schema": {"type": "string"}}},
    429: {"Retry-After": {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}},
    503: {"Retry-After": {"required": True, "schema": {"type": "string", "pattern": "^[0-9]+$"}}},
}


def json_content(schema: Json) -> Json:
    """The body of a response."""
    return {"content": {"application/json": {"schema": schema}}}


def good_response(schema: str, headers: Json) -> Json:
    """The response of a successful request."""
    return {"description": "The answer.", "headers": headers, **json_content(reference("schemas", schema))}


def parameters(names: tuple[str, ...]) -> list[Json]:
    """References to parameters."""
    return [reference("parameters", name) for name in names]


def errors(statuses: tuple[int, ...]) -> Json:
    """References to the errors with these statuses."""
    return {str(status): reference("responses", f"Error{status}") for status in statuses}


def error_responses() -> Json:
    """A response component for each status an error may have."""
    statuses: dict[int, list[str]] = {}
    for code, status in STATUS.items():
        statuses.setdefault(status, []).append(code.value)
    statuses[431] = [Code.INVALID_REQUEST.value]  # RFC 6585: for a head, or a token, that is too large
    return {
        f"Error{status}": {
            "description": ", ".join(codes),
            "headers": ERROR_HEADERS.get(status, {}),
            "content": {"application/json": {"schema": reference("schemas", "Error")}},
        }
        for status, codes in statuses.items()
    }
