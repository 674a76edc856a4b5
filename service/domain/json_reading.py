"""Reads valid JSON that msgspec refuses: unpaired surrogates, and numbers beyond the range of doubles.

A document that msgspec accepts costs nothing extra. Knows no member by name: the caller says which texts are exact.
"""

import json
import math
import re
import sys
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")

EXACT = True
Exact: TypeAlias = "bool | Mapping[str, Exact]"
"""Which texts must be read exactly. Elsewhere a half of a surrogate pair is replaced; in an exact text it is an error.
`EXACT`: the text, or every text in the list or object. A mapping: a rule for each member of the object or objects."""

_FIRST_INTEGER, _LAST_INTEGER = -(2**63), 2**64 - 1
"""The range of MessagePack's integers."""

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

# Both patterns match everything up to the next half surrogate or large number, or up to the end. Possessive quantifiers
# keep them linear.
_UP_TO_HALF = re.compile(
    rb"((?:[^\\]++"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\(?!u[dD][89a-fA-F]).)*+)(\\u....|\Z)",
    re.DOTALL,
)
_UP_TO_LARGE_NUMBER = re.compile(
    rb'((?:[^"0-9]++|"(?:[^"\\]++|\\.)*+"|[0-9]{1,300}+(?:\.[0-9]++)?+(?![0-9.eE]))*+)([0-9][0-9.eE+-]*+|\Z)',
    re.DOTALL,
)
_LARGEST_DOUBLE = repr(sys.float_info.max).encode()


class UnpairedSurrogate(ValueError):
    """An exact text contains half a surrogate pair. The message starts with the path of the text."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: an unpaired surrogate")
        self.path = path


def read_json(decoder: msgspec.json.Decoder[T], document: bytes, exact: Exact) -> T:
    """Returns the decoded document.

    An unpaired surrogate becomes U+FFFD, and raises UnpairedSurrogate in an exact text; a number beyond the range of
    doubles becomes the largest one. Raises the decoder's error for a document that is not JSON or doesn't fit its type.
    """
    try:
        return decoder.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if "out of range" not in str(error) and not _ESCAPED_HALF.search(document):
            raise
        repaired = _repaired(document, exact)
        if repaired is None:
            raise
    return decoder.decode(repaired)


def json_number(number: int) -> int | float:
    """Returns the stored form: the number itself within 64 bits, else the nearest double, at most the largest one."""
    if _FIRST_INTEGER <= number <= _LAST_INTEGER:
        return number
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max if number > 0 else -sys.float_info.max


def json_float(text: str) -> float:
    """Parses a number with Python's `float`; beyond the range of doubles it returns the largest one.

    msgspec takes 20 times as long for numbers near the ends of the range.
    """
    number = float(text)
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else number


def in_range(found: re.Match[bytes]) -> bytes:
    """Returns the replacement of a match. Its groups: the text before a number, and the number. See `read_json`."""
    number = found[2]
    return found[1] + (_LARGEST_DOUBLE if number and math.isinf(float(number)) else number)


def _repaired(document: bytes, exact: Exact) -> bytes | None:
    """Returns the document with both problems repaired, or None when it is not JSON. Raises UnpairedSurrogate."""
    try:
        # Only texts are checked here, so numbers may lose digits. `float` accepts any number of digits.
        value = json.loads(document.decode(), parse_int=float, parse_constant=_refused)
        _check(value, exact, "")
    except UnpairedSurrogate:
        raise
    except (ValueError, RecursionError):
        return None
    return _UP_TO_LARGE_NUMBER.sub(in_range, _UP_TO_HALF.sub(_whole, document))


def _whole(found: re.Match[bytes]) -> bytes:
    return found[1] + b"\\ufffd" if found[2] else found[1]


def _check(value: object, exact: Exact, path: str) -> None:
    if not exact:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, exact, f"{path}[{index}]")
    elif isinstance(value, dict):
        members = exact if isinstance(exact, Mapping) else dict.fromkeys(value, EXACT)
        for name, inner in members.items():
            if name in value:
                _check(value[name], inner, f"{path}.{name}".removeprefix("."))
    elif exact is EXACT and isinstance(value, str) and _HALF.search(value):
        raise UnpairedSurrogate(path)


def _refused(word: str) -> None:
    raise ValueError(f"{word} is not JSON")
