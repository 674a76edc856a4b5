"""Reads one JSON document strictly, or says in one line why it is none. Never knows what the document means."""

import re
from itertools import accumulate
from typing import TypeVar

import msgspec

from service.domain.json_reading import Exact, UnpairedSurrogate, read_json
from service.domain.tickets.event import PoisonEvent

T = TypeVar("T")

DEEPEST_LEVEL = 100
"""Levels of objects and lists in one record. What can be nested up to the interpreter's recursion limit is read by
one process and not by another whose stack is a few calls deeper, and then their counts differ."""

# Never gives anything back, and takes a string without its end too: else a record of `\"` alone costs hours.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_LEVELS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one up, one down as signed bytes
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def read_document(decoder: msgspec.json.Decoder[T], document: bytes, name: str, exact: Exact) -> T:
    """What the decoder makes of the document, which passed `check_document`; see `read_json` for `exact`.

    Raises PoisonEvent with the path of what is wrong: below the member `name`, or by itself where that is empty.
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
    """Raises PoisonEvent unless all of it is UTF-8 (members that nobody reads too) and no deeper than DEEPEST_LEVEL."""
    if not document.isascii():
        try:
            document.decode()
        except UnicodeDecodeError as error:
            raise PoisonEvent(f"{name}: not JSON: byte {error.start} is no UTF-8") from None
    if document.count(b"{") + document.count(b"[") > DEEPEST_LEVEL and _deepest_level(document) > DEEPEST_LEVEL:
        raise PoisonEvent(f"{name}: nested deeper than {DEEPEST_LEVEL} levels")


def _deepest_level(document: bytes) -> int:
    steps = _STRING.sub(b"", document).translate(_LEVELS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _misfit(error: msgspec.ValidationError, name: str) -> str:
    """`data.tags[1]: expected str, got null` for "Expected `str`, got `null` - at `$.data.tags[1]`"."""
    problem, _, path = str(error).partition(" - at `$")
    member = (name + path.rstrip("`")).removeprefix(".") or "value"
    return f"{member}: {problem[:1].lower()}{problem[1:].replace('`', '')}"
