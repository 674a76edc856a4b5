"""The part of the OpenAPI document about previews, and the shape of a condition. Never describes what is saved."""

from service.domain.conditions.leaf_values import MAX_VALUES
from service.domain.conditions.operators import EVERY_OPERATOR
from service.domain.conditions.where import MAX_LEAVES, MAX_LEVELS
from service.web.api import preview
from service.web.docs.openapi_components import (
    COUNT,
    INSTANT,
    TEXT,
    Json,
    errors,
    good_response,
    obj,
    parameters,
    reference,
)

CALLER = ("tenant", "realm", "support", "type", "module")
ERRORS = (400, 401, 403, 404, 405, 413, 415, 422, 429, 431, 500, 503)

# Does not refer to itself: a reader that follows every reference would never end.
NODE: Json = {"type": "object", "description": "Again a leaf, all, any or not."}
NODES: Json = {"type": "array", "items": NODE}

SCHEMAS: Json = {
    "Leaf": obj(
        {
            "field": {"type": "string", "examples": ["status", "fields.product"]},
            "op": {"enum": sorted(EVERY_OPERATOR)},
            "value": {"description": f"As the operator needs it; a list holds at most {MAX_VALUES} values."},
        },
        optional=("value",),
        additionalProperties=False,
    ),
    "Condition": {
        "description": f"A tree of at most {MAX_LEAVES} leaves in {MAX_LEVELS} levels.",
        "anyOf": [
            reference("schemas", "Leaf"),
            obj({"all": NODES, "any": NODES}, optional=("all", "any"), additionalProperties=False),
            obj({"not": NODE}, additionalProperties=False),
        ],
        "examples": [{"all": [{"field": "priority", "op": "eq", "value": "4195"}]}],
    },
    "PreviewRequest": obj(
        {
            "where": reference("schemas", "Condition"),
            "templateProfileFilterId": {"oneOf": [TEXT, {"type": "null"}]},
            "timezone": {"oneOf": [reference("schemas", "TimeZone"), {"type": "null"}]},
        },
        optional=("templateProfileFilterId", "timezone"),
    ),
    "PreviewAnswer": obj(
        {
            "success": {"const": True},
            "message": {"type": "string"},
            "data": obj({"count": COUNT, "computedAt": INSTANT}, additionalProperties=False),
            "timestamp": INSTANT,
        }
    ),
}


def preview_paths() -> Json:
    """Path -> its operations."""
    return {preview.PATH: {"post": _post_preview()}}


def _post_preview() -> Json:
    return {
        "operationId": "postTicketCountPreview",
        "tags": ["counts"],
        "summary": "What a filter would count, before it is saved.",
        "description": "Goes over the stored tickets, so it is limited in time, in tickets and per credential: 503 "
        "says which limit was met. `details.field` of 400 is the path of the node that doesn't compile.",
        "security": [{"bearer": []}],
        "parameters": parameters(CALLER),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": reference("schemas", "PreviewRequest")}},
        },
        "responses": {"200": good_response("PreviewAnswer", {})} | errors(ERRORS),
    }
