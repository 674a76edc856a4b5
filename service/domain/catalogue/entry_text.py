"""The syntax of ids, hashes and claim paths in catalogue entries, and its error messages. Never looks an id up."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from service.domain.catalogue.catalogue import EntryError

T = TypeVar("T")

_TENANT = r"\A[A-Za-z0-9_-]{1,64}\Z"
_ID = r"\A[^\x00-\x1f\x7f-\x9f]{1,128}\Z"  # C0, DEL and C1 are the control characters
_SHA256 = r"\A[0-9A-Fa-f]{64}\Z"
_BASE64URL = r"\A[A-Za-z0-9_-]+\Z"  # RFC 7515: without padding
_CLAIM = r"\A[^.]+(\.[^.]+){0,15}\Z"

_IN_WORDS = {
    _TENANT: "1 to 64 of the characters A-Z a-z 0-9 _ -",
    _ID: "1 to 128 characters without control characters",
    _SHA256: "64 hexadecimal digits",
    _BASE64URL: "base64url without padding",
    _CLAIM: "names with dots between them, at most 16",
}

_OR_NOTHING = {"Expected `array` of length <= 0": "Expected `object`, got `array`", "`object | array": "`object"}
"""Removes the alternative `[]` for an absent object from error messages: it would only confuse the publisher."""

_MISSING = re.compile(r"Object missing required field `(\w+)`")

TenantId = Annotated[str, msgspec.Meta(pattern=_TENANT)]
Id = Annotated[str, msgspec.Meta(pattern=_ID)]
Sha256 = Annotated[str, msgspec.Meta(pattern=_SHA256)]
Base64Url = Annotated[str, msgspec.Meta(pattern=_BASE64URL)]
ClaimPath = Annotated[str, msgspec.Meta(pattern=_CLAIM)]


def checked(value: object, kind: Any, path: str) -> Any:
    """Converts a decoded value to a type that msgspec supports. Raises EntryError with the path of the misfit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise misfit(error, path) from None
    except UnicodeEncodeError:
        raise EntryError(f"{path}: an unpaired surrogate") from None


def misfit(error: msgspec.ValidationError, path: str = "") -> EntryError:
    """Converts an error of msgspec to an EntryError.

    Example: "Expected `bool`, got `int` - at `$.statuses[0].closed`" becomes
    "statuses[0].closed: expected bool, got int".
    """
    problem, _, inner = str(error).partition(" - at `$")
    for pattern, words in _IN_WORDS.items():
        problem = problem.replace(f"`str` matching regex {pattern!r}", words)
    for text, replacement in _OR_NOTHING.items():
        problem = problem.replace(text, replacement)
    where = path + inner.rstrip("`")
    if missing := _MISSING.fullmatch(problem):
        return EntryError(f"{where}.{missing[1]}: missing".removeprefix("."))
    where = where.removeprefix(".") or "value"
    return EntryError(f"{where}: {problem[:1].lower()}{problem[1:].replace('`', '')}")
