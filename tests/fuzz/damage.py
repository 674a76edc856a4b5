"""Examples: good bytes damaged in a few places, and odd values of JSON. Knows no format but JSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

PIECES: Sequence[bytes] = (
    b"", b'"', b"\\", rb"\ud83d", rb"\ude00", rb"\u0000", b"\\u", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"{", b"}", b"[", b"]", b"[]", b"{}", b"null", b"true", b"-", b"1e400", b"-0", b"9" * 30, b"9" * 5_000, b"NaN",
    b",", b":", b" ", b"\r\n", b"[" * 150, b'{"a":' * 150, "\u2028\U0001f600".encode(),
)  # fmt: skip
"""What has broken somebody's parser."""

HALF = "\ud83d"
_CHARACTERS = st.characters(categories=["L", "N", "Zs", "Cs", "Cc", "Cn"]) | st.sampled_from("@/.:%+_-" + "\\" + '"')
TEXTS = st.text(_CHARACTERS, max_size=5)
WORDS = st.sampled_from(
    ("", "x", "3745", "acme", "@me", "@my_teams", "@now", "@now-PT1H", "P1D", "2026-11-21T10:15:00Z",
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.9999999Z", "x" * 128, "x" * 129, f"a{HALF}", f"{HALF}\ude00",
     "\x00", "\x85", "today", "open", "all", "1", "1e400", "ß", "İ", "\u200c")
)  # fmt: skip
LARGE = "@digits:"
"""Stands before a number that Python's encoder has no way to write."""
NUMBERS = (
    st.integers(-3, 3)
    | st.sampled_from((2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30, 10**400))
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(("1e400", "-1e400", "1E-400", "-0", "-0.0", "7.0", "1e3", "9" * 5_000)).map(LARGE.__add__)
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | WORDS
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | WORDS, inner, max_size=3),
    max_leaves=6,
)


def written(value: Any) -> bytes:
    """The JSON text."""
    return re.sub(rb'"@digits:([^"]*)"', rb"\1", json.dumps(value).encode())


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[bytes]) -> bytes:
    """Good bytes with one to four places changed, cut or repeated."""
    text = bytearray(draw(good))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        match draw(st.sampled_from(("replace", "replace", "insert", "repeat", "cut"))):
            case "replace":
                text[start:end] = piece
            case "insert":
                text[start:start] = piece
            case "repeat":
                text[start:start] = text[start:end]
            case "cut":
                del text[start:]
    return bytes(text)


@st.composite
def altered(draw: st.DrawFn, good: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """A good object with up to three members, at any depth, set to anything, renamed, or taken away."""
    whole: dict[str, Any] = json.loads(json.dumps(draw(good)))
    for _ in range(draw(st.integers(0, 3))):
        at: Any = whole
        while True:
            name = draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
            if not (isinstance(at[name], dict | list) and at[name]) or draw(st.booleans()):
                break
            at = at[name]
        match draw(st.sampled_from(("set", "set", "set", "take", "add"))):
            case "set":
                at[name] = draw(VALUES)
            case "take":
                del at[name]
            case "add" if isinstance(at, dict):
                at[draw(TEXTS | WORDS)] = draw(VALUES)
        if not whole:
            break
    return whole
