"""Refusals and the one table from code to HTTP status. Never decides when to refuse."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """The values of `error.code`."""

    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    TENANT_NOT_FOUND = "TENANT_NOT_FOUND"
    REALM_NOT_FOUND = "REALM_NOT_FOUND"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    INVALID_FILTER_ID = "INVALID_FILTER_ID"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    COUNTS_UNAVAILABLE = "COUNTS_UNAVAILABLE"
    COUNTS_WARMING = "COUNTS_WARMING"


STATUS: Mapping[Code, int] = {
    Code.INVALID_REQUEST: 400,
    Code.UNAUTHORIZED: 401,
    Code.FORBIDDEN: 403,
    Code.TENANT_NOT_FOUND: 404,
    Code.REALM_NOT_FOUND: 404,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.PAYLOAD_TOO_LARGE: 413,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.INVALID_FILTER_ID: 422,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL_ERROR: 500,
    Code.COUNTS_UNAVAILABLE: 503,
    Code.COUNTS_WARMING: 503,
}


class Refused(Exception):
    """The request is answered by an error envelope. `reason` is for the access log alone.

    `status` is the code's own unless HTTP has a better one for the case.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code] if status is None else status
        self.message = message
        self.details = details or {}
        self.headers = headers or {}
        self.reason = reason or message


def invalid(field: str, message: str) -> Refused:
    """400 for one field of the headers, the query or the body."""
    return Refused(Code.INVALID_REQUEST, message, details={"field": field}, reason=f"{field}: {message}")


def unauthorized(reason: str, *, token_given: bool) -> Refused:
    """401 that says nothing about why: the reason helps whoever forges tokens. RFC 6750 section 3."""
    challenge = 'Bearer error="invalid_token"' if token_given else "Bearer"
    return Refused(Code.UNAUTHORIZED, "Authentication failed", headers={"www-authenticate": challenge}, reason=reason)


def rate_limited(retry_after_s: int, reason: str | None = None) -> Refused:
    """429 with the seconds until the next request is allowed."""
    retry = {"retry-after": str(max(1, retry_after_s))}
    return Refused(Code.RATE_LIMITED, "Too many requests", headers=retry, reason=reason)


def internal_error(error: Exception) -> Refused:
    """500 for an error that nobody expects: the log gets its name, the caller gets no detail."""
    return Refused(Code.INTERNAL_ERROR, "Something went wrong on our side", reason=type(error).__name__)


def head_too_large(message: str) -> Refused:
    """431 (RFC 6585 section 5) for headers, or one header, above the limit."""
    return Refused(Code.INVALID_REQUEST, message, status=431)
