"""The base of all models, the types that their fields share, and the refusal of what doesn't fit one."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic.alias_generators import to_camel

from service.web.http.errors import Code, invalid

M = TypeVar("M", bound=BaseModel)


class Model(BaseModel):
    """Fields have their JSON names and types. Nothing is converted, and unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, use_attribute_docstrings=True, alias_generator=to_camel)


class Closed(Model):
    """A model that has no further fields."""

    model_config = ConfigDict(extra="forbid")


Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=0)]
Instant = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-07-10T12:34:56.789Z"]})
]


class Success(Model):
    """The envelope of every answer to a request that succeeds."""

    success: Literal[True]
    message: str
    timestamp: Instant


class ErrorDetails(Model):
    """What the error is about, where it is about a part of the request."""

    field: str = ""
    """The header, parameter or member that doesn't fit; in a condition the path of its node."""
    invalid_ids: list[str] = []
    """All unknown or invisible ids in the order of the request; the profile's comes last."""


class ErrorBody(Model):
    """The error."""

    code: Code
    message: str
    details: ErrorDetails


class ErrorAnswer(Model):
    """The envelope of every answer to a request that is refused."""

    success: Literal[False]
    error: ErrorBody
    timestamp: Instant


def fitted(model: type[M], members: Mapping[str, Any]) -> M:
    """Returns the model with these members. Raises Refused; it names the first field that doesn't fit.

    An error of a validator may name another one as `path` in its context.
    """
    try:
        return model.model_validate(members)
    except ValidationError as errors:
        first = errors.errors(include_url=False, include_input=False)[0]
    field = first.get("ctx", {}).get("path") or first["loc"][0]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"][1:])
    problem = "is missing" if first["type"] == "missing" else first["msg"]
    raise invalid(str(field), f"{path.removeprefix('.')}: {problem}" if path else problem)
