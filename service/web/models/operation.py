"""What a handler says of itself for the API's document: what it takes, what it answers, and which errors it has."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from service.web.http.errors import STATUS, Code
from service.web.models.model import ErrorAnswer

H = TypeVar("H", bound=Callable[..., Any])

JSON_ONLY = ("application/json",)

ERROR_HEADERS: Mapping[int, Mapping[str, str | None]] = {
    401: {"WWW-Authenticate": "The scheme of tokens."},
    405: {"Allow": "The methods that are answered."},
    429: {"Retry-After": "Seconds."},
    503: {"Retry-After": "Seconds."},
}

PUBLIC_ERRORS = (Code.METHOD_NOT_ALLOWED, Code.INTERNAL_ERROR)
"""The errors that every operation has."""

CALLER_ERRORS = (
    *(Code.INVALID_REQUEST, Code.UNAUTHORIZED, Code.FORBIDDEN, Code.TENANT_NOT_FOUND, Code.REALM_NOT_FOUND),
    *(Code.RATE_LIMITED, Code.COUNTS_UNAVAILABLE, Code.COUNTS_WARMING, *PUBLIC_ERRORS),
)
"""The errors of every operation for callers with a token."""

BODY_ERRORS = (Code.PAYLOAD_TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)
"""The errors of every operation with a JSON body, beside CALLER_ERRORS."""


class AnswerDescription(NamedTuple):
    """One answer. A header whose name ends with `?` may be missing."""

    description: str
    content: Any = None
    """A model, or a type whose JSON Schema pydantic knows; None where the body is empty."""
    headers: Mapping[str, str | None] = {}
    media_types: tuple[str, ...] = JSON_ONLY
    events: Mapping[str, type[BaseModel]] | None = None
    """The data of each event, where the body is a stream of them."""


class Operation(NamedTuple):
    """One method of one path. The summary and the description are the handler's docstring unless given."""

    id: str
    tag: str
    answers: Mapping[int, AnswerDescription]
    summary: str = ""
    headers: tuple[type[BaseModel], ...] = ()
    query: tuple[type[BaseModel], ...] = ()
    body: type[BaseModel] | None = None
    body_types: tuple[str, ...] = JSON_ONLY
    token: bool | None = True
    """Whether a bearer token is needed; None: there is another way in, and then no parameter is needed either."""


def described(operation: Operation) -> Callable[[H], H]:
    """Returns a decorator of a handler."""

    def describe(handler: H) -> H:
        handler.__dict__["operation"] = operation
        return handler

    return describe


def public_operation(name: str, tag: str, answers: Mapping[int, AnswerDescription]) -> Operation:
    """Returns the operation of a handler that needs no token, with the errors that every operation has.

    `name` is the operation's id.
    """
    return Operation(name, tag, {**answers, **refusals(*PUBLIC_ERRORS)}, token=False)


def refusals(*codes: Code) -> dict[int, AnswerDescription]:
    """Returns the answers with an error envelope of these codes, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code.value)
    if Code.UNAUTHORIZED in codes:
        by_status[431] = [Code.INVALID_REQUEST.value]  # RFC 6585: for a head, or a token, that is too large
    return {
        status: AnswerDescription(", ".join(dict.fromkeys(names)), ErrorAnswer, ERROR_HEADERS.get(status, {}))
        for status, names in by_status.items()
    }
