"""The part of the OpenAPI document about the form API. Never describes the other dialect's errors."""

from service.web.docs.openapi_components import COUNT, COUNTS_HEADERS, ERROR_HEADERS, Json, obj, reference
from service.web.form import api
from service.web.form.actions import ACTIONS
from service.web.form.fields import MAX_FIELDS

TEXT: Json = {"type": "string"}

ERRORS = {
    400: f"A multipart body without a boundary, or over {MAX_FIELDS} fields.",
    403: "Authentication failed, or the address or the action is not allowed.",
    405: "The method is not allowed; GET only where a setting allows it.",
    413: "The body is too large.",
    429: "Too many requests, or too many failed attempts.",
    500: "A mistake of ours.",
    503: "The store is away, is being filled anew, or columns are still being filled.",
}

SCHEMAS: Json = {
    "FormCall": obj(
        {
            "action": {"type": "string", "examples": ["GetTicketCounts"], "description": "In any letter case."},
            "identifier": {**TEXT, "description": "With `secret`."},
            "secret": TEXT,
            "username": {**TEXT, "description": "With `password`: an identifier, or the name of an admin."},
            "password": {**TEXT, "description": "The identifier's secret, or the hex md5 of the admin's password."},
            "accesskey": {**TEXT, "description": "Lifts the addresses a credential is limited to."},
            "responsetype": {"type": "string", "enum": ["json", "xml"], "default": "json"},
            "ignoreDepartmentAssignments": {**TEXT, "description": "GetTicketCounts: all departments."},
            "includeCountsByStatus": {**TEXT, "description": "GetTicketCounts: each status with its count."},
            "deptid": {**TEXT, "description": "GetSupportStatuses: one department's tickets only."},
            "ignore_dept_assignments": {**TEXT, "description": "GetSupportDepartments: all of them."},
        },
        optional=(
            "identifier", "secret", "username", "password", "accesskey", "responsetype",
            "ignoreDepartmentAssignments", "includeCountsByStatus", "deptid", "ignore_dept_assignments",
        ),
    ),
    "FormTicketCounts": obj(
        {
            "result": {"const": "success"},
            "filteredDepartments": {"type": "array", "items": {"type": "integer"}},
            "allActive": COUNT,
            "awaitingReply": COUNT,
            "flaggedTickets": COUNT,
            "status": {
                "type": "object",
                "additionalProperties": obj({"title": TEXT, "count": COUNT}, additionalProperties=False),
            },
        },
        optional=("status",),
        additionalProperties=False,
    ),
    "FormSupportStatuses": obj(
        {
            "result": {"const": "success"},
            "totalresults": COUNT,
            "statuses": obj(
                {"status": {"type": "array", "items": obj({"title": TEXT, "count": COUNT, "color": TEXT})}}
            ),
        },
        additionalProperties=False,
    ),
    "FormSupportDepartments": obj(
        {
            "result": {"const": "success"},
            "totalresults": COUNT,
            "departments": obj(
                {
                    "department": {
                        "type": "array",
                        "items": obj(dict.fromkeys(("id", "name", "awaitingreply", "opentickets"), TEXT)),
                    }
                }
            ),
        },
        additionalProperties=False,
    ),
    "FormError": obj({"result": {"const": "error"}, "message": TEXT}, additionalProperties=False),
}  # fmt: skip


def form_paths() -> Json:
    """Path -> its operations."""
    return {api.PATH: {"post": _post()}}


def _post() -> Json:
    answers = ("FormTicketCounts", "FormSupportStatuses", "FormSupportDepartments", "FormError")
    call = {"schema": reference("schemas", "FormCall")}
    return {
        "operationId": "postFormCall",
        "tags": ["counts"],
        "summary": "The form API of billing panels.",
        "description": f"Actions: {', '.join(ACTIONS)}. Fields may stand in the query or in the body, the body wins; "
        "their names and the actions' are in any letter case. Yes is `1`, `true`, `on` or `yes`, all else is no. An "
        "unknown action is answered with 200 and an error body.",
        "security": [],
        "requestBody": {
            "required": False,
            "content": {"application/x-www-form-urlencoded": call, "multipart/form-data": call},
        },
        "responses": {
            "200": {
                "description": "The answer with the headers of its snapshot, or an error about the action.",
                "headers": {name: _optional(name) for name in COUNTS_HEADERS},
                "content": _content({"oneOf": [reference("schemas", name) for name in answers]}),
            }
        }
        | {str(status): _error(status, text) for status, text in ERRORS.items()},
    }


def _optional(name: str) -> Json:
    return {"description": f"As `{name}` of a count.", "required": False, "schema": TEXT}


def _error(status: int, text: str) -> Json:
    return {
        "description": text,
        "headers": ERROR_HEADERS.get(status, {}),
        "content": _content(reference("schemas", "FormError")),
    }


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}, "application/xml": {"schema": {"type": "string"}}}
