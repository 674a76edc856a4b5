"""Reads JSON that a decoder refuses although it is JSON: unpaired surrogates, and numbers beyond the range of doubles.

A document that the decoder takes costs nothing more. Knows no member by name: callers say which texts are exact.
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
"""Which texts must be read exactly as they were written: `EXACT` is a text, or each text in a list or object; a mapping
says it by member of an object, or of each object in a list."""

_FIRST_INTEGER, _LAST_INTEGER = -(2**63), 2**64 - 1
"""What MessagePack holds as a whole number."""

_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")

# Each takes all of a JSON document up to the next piece of interest, which may be none. Neither gives anything back.
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
    """A text that has to be exact holds half a surrogate pair. The message starts with its path."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: an unpaired surrogate")
        self.path = path


def read_json(decoder: msgspec.json.Decoder[T], document: bytes, exact: Exact) -> T:
    """What the decoder makes of the document.

    An unpaired surrogate becomes U+FFFD, and raises UnpairedSurrogate in an exact text; a number beyond the range of
    doubles becomes the largest one. Raises what the decoder raises for a document that is no JSON, or doesn't fit.
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
    """The number as it is stored: beyond 64 bits the nearest double, beyond the range of doubles the largest one."""
    if _FIRST_INTEGER <= number <= _LAST_INTEGER:
        return number
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max if number > 0 else -sys.float_info.max


def json_float(text: str) -> float:
    """The number as Python reads it: for numbers near the ends of the range msgspec takes 20 times as long.

    Beyond the range it is the largest double.
    """
    number = float(text)
    return math.copysign(sys.float_info.max, number) if math.isinf(number) else number


def in_range(found: re.Match[bytes]) -> bytes:
    """What replaces a match of two groups, what stands before a number and the number: see `read_json`."""
    number = found[2]
    return found[1] + (_LARGEST_DOUBLE if number and math.isinf(float(number)) else number)


def _repaired(document: bytes, exact: Exact) -> bytes | None:
    """The document as every decoder reads it; None where it isn't JSON. Raises UnpairedSurrogate."""
    try:
        # Numbers don't matter here, and float takes any number of digits.
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
