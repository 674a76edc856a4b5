"""Decodes one JSON document strictly, with a one-line reason on failure. Never interprets the document."""

import re
from itertools import accumulate
from typing import TypeVar

import msgspec

from service.domain.json_reading import Exact, UnpairedSurrogate, read_json
from service.domain.tickets.event import PoisonEvent

T = TypeVar("T")

DEEPEST_LEVEL = 100
"""Most levels of objects and lists in one record. Without a limit of our own, the interpreter's recursion limit would
decide: one process could read a record that another one, a few calls deeper, can't, and their counts would differ."""

# Possessive, and also matches a string without its end: backtracking over a record of many `\"` would take hours.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_LEVELS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def read_document(decoder: msgspec.json.Decoder[T], document: bytes, name: str, exact: Exact) -> T:
    """Decodes a document that passed `check_document`; see `read_json` for `exact`.

    Raises PoisonEvent; its reason begins with the path of the wrong member, below `name` unless that is empty.
    """
    try:
        return read_json(decoder, document, exact)
    except UnpairedSurrogate as error:
        raise PoisonEvent(f"{name}.{error}".removeprefix(".")) from None
    except msgspec.ValidationError as error:
        raise PoisonEvent(_misfit(error, name)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PoisonEvent(f"{name or 'value'}: not JSON: {error}") from None


def check_document(document: bytes, name: str) -> None:
    """Raises PoisonEvent unless the whole document, unused members too, is UTF-8 and at most DEEPEST_LEVEL deep."""
    if not document.isascii():
        try:
            document.decode()
        except UnicodeDecodeError as error:
            raise PoisonEvent(f"{name}: not JSON: byte {error.start} is not UTF-8") from None
    if document.count(b"{") + document.count(b"[") > DEEPEST_LEVEL and _deepest_level(document) > DEEPEST_LEVEL:
        raise PoisonEvent(f"{name}: nested deeper than {DEEPEST_LEVEL} levels")


def _deepest_level(document: bytes) -> int:
    steps = _STRING.sub(b"", document).translate(_LEVELS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _misfit(error: msgspec.ValidationError, name: str) -> str:
    """Converts msgspec's message to a reason.

    Example: "Expected `str`, got `null` - at `$.data.tags[1]`" → "data.tags[1]: expected str, got null".
    """
    problem, _, path = str(error).partition(" - at `$")
    member = (name + path.rstrip("`")).removeprefix(".") or "value"
    return f"{member}: {problem[:1].lower()}{problem[1:].replace('`', '')}"
