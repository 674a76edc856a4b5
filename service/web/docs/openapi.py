"""`/openapi.json` and `/openapi-3.2.json`: the HTTP API, generated from its routes. Never decides behaviour."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from starlette.routing import Route

from service.version import VERSION
from service.web.models.operation import AnswerDescription, Operation

Json = dict[str, Any]

CONTACT = {"name": "The maintainers of Ticket Counts"}

Described = dict[str, dict[str, tuple[Operation, str]]]
"""Path -> method -> its operation and its handler's docstring."""

REPEATABLE: Json = {"style": "form", "explode": False}
"""Lists in a query: one parameter with commas between."""


class Schemas(GenerateJsonSchema):
    """JSON Schemas without what generators of clients stumble over: titles of fields, and null as a default."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Names are enough."""
        return False

    def default_schema(self, schema: Any) -> Any:
        """A default that only stands for a missing field isn't shown."""
        shown = super().default_schema(schema)
        if shown.get("default", 0) in (None, "", [], ()):
            del shown["default"]
        return shown


def operations(routes: Iterable[Route]) -> Described:
    """Returns what the handlers of these routes say of themselves."""
    found: Described = {}
    for route in routes:
        for method in ("get", "post"):
            handler = getattr(route.endpoint, method, None)
            operation = getattr(handler, "operation", None)
            if operation is not None:
                found.setdefault(route.path, {})[method] = (operation, handler.__doc__ or "")
    return found


def openapi(routes: Iterable[Route], version: str = "3.1.0") -> Json:
    """The whole document."""
    described = operations(routes)
    schemas, as_parameters = _schemas(described), _parameter_models(described)
    paths = {
        path: {
            method: _Writer(schemas, version).operation(operation, operation.id or _named(path), text)
            for method, (operation, text) in methods.items()
        }
        for path, methods in described.items()
    }
    return {
        "openapi": version,
        "info": {
            "title": "Ticket Counts",
            "version": VERSION,
            "description": "Exact, live ticket counts. All numbers of an answer are from one atomic read.",
            "contact": CONTACT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "counts", "description": "Counts of tickets, for callers with a token."},
            {"name": "operation", "description": "For orchestrators and monitoring."},
            {"name": "documents", "description": "What this service is."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": {name: each for name, each in schemas["$defs"].items() if name not in as_parameters},
        },
    }


def _schemas(described: Described) -> dict[Any, Json]:
    """Type -> its schema; `$defs`: the components."""
    every = [operation for methods in described.values() for operation, _ in methods.values()]
    answers = [answer for operation in every for answer in operation.answers.values()]
    types = [each.body for each in every] + [answer.content for answer in answers]
    types += [event for answer in answers for event in (answer.events or {}).values()]
    types += [model for each in every for model in (*each.query, *each.headers)]
    wanted = [each for each in dict.fromkeys(types) if each is not None]
    found, rest = TypeAdapter.json_schemas(
        [(each, "validation", TypeAdapter(each)) for each in wanted],
        ref_template="#/components/schemas/{model}",
        schema_generator=Schemas,
    )
    by_type: dict[Any, Json] = {each: schema for (each, _), schema in found.items()}
    return by_type | {"$defs": rest["$defs"]}


def _parameter_models(described: Described) -> set[str]:
    """The names of the models that are written as parameters, and nowhere else."""
    every = [operation for methods in described.values() for operation, _ in methods.values()]
    return {model.__name__ for operation in every for model in (*operation.query, *operation.headers)}


class _Writer:
    """Writes operations with the schemas of their types."""

    def __init__(self, schemas: dict[Any, Json], version: str) -> None:
        self._schemas = schemas
        self._has_item_schema = version >= "3.2"

    def operation(self, operation: Operation, operation_id: str, text: str) -> Json:
        """The operation object."""
        summary, _, description = " ".join(text.split()).partition(". ")
        security: list[Json] = [{"bearer": []}] if operation.token is not False else []
        written: Json = {
            "operationId": operation_id,
            "tags": [operation.tag],
            "summary": operation.summary or f"{summary.removesuffix('.')}.",
            "security": [*security, {}] if operation.token is None else security,
            "parameters": self._parameters(operation),
            "responses": {str(status): self._answer(answer) for status, answer in operation.answers.items()},
        }
        if description:
            written["description"] = description
        if operation.body is not None:
            content = {kind: {"schema": self._schemas[operation.body]} for kind in operation.body_types}
            written["requestBody"] = {"required": operation.token is not False, "content": content}
        return written

    def _parameters(self, operation: Operation) -> list[Json]:
        return [
            self._parameter(name, place, schema, name in model.get("required", ()) and operation.token is not None)
            for place, models in (("header", operation.headers), ("query", operation.query))
            for model in map(self._model, models)
            for name, schema in model["properties"].items()
        ]

    def _model(self, model: type[BaseModel]) -> Json:
        name = self._schemas[model]["$ref"].rpartition("/")[2]
        found: Json = self._schemas["$defs"][name]
        return found

    def _parameter(self, name: str, place: str, schema: Json, is_required: bool) -> Json:
        schema = dict(schema)
        text = schema.pop("description", "")
        written = {"name": name, "in": place, "required": is_required, "schema": schema, "description": text}
        return written | (REPEATABLE if schema.get("type") == "array" else {})

    def _answer(self, answer: AnswerDescription) -> Json:
        headers = {
            name.removesuffix("?"): {
                "description": text,
                "required": not name.endswith("?"),
                "schema": {"type": "string"},
            }
            for name, text in answer.headers.items()
        }
        written: Json = {"description": answer.description, "headers": headers}
        if answer.events is not None:
            written["content"] = {kind: self._stream(answer.events) for kind in answer.media_types}
        elif answer.content is not None:
            schema = self._schemas[answer.content]
            written["content"] = {
                kind: {"schema": {"type": "string"} if kind.endswith("/xml") else schema} for kind in answer.media_types
            }
        return written

    def _stream(self, events: Mapping[str, type[BaseModel]]) -> Json:
        data = {name: self._schemas[model] for name, model in events.items()}
        event = {"oneOf": [_event(name, schema) for name, schema in data.items()]}
        if self._has_item_schema:
            return {"itemSchema": event}
        # OpenAPI 3.1 can't describe the events of a stream. A schema of what the text contains comes closest.
        decoded = {"type": "array", "items": event}
        text = {"type": "string", "contentMediaType": "text/event-stream", "contentSchema": decoded}
        return {"schema": text, "x-event-data": data}


def _named(path: str) -> str:
    """Returns the name of a path whose handler has none: `/openapi-3.2.json` is openapi32."""
    return "".join(filter(str.isalnum, path.removesuffix(".json")))


def _event(name: str, data: Json) -> Json:
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    properties = {"event": {"const": name}, "id": {"type": "string"}, "data": text, "retry": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": ["event", "id", "data"]}
