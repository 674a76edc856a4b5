"""JSON that msgspec alone refuses: half surrogate pairs, and numbers of any size."""

import contextlib
import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.json_reading import EXACT, Exact, UnpairedSurrogate, json_number, read_json

ANYTHING = msgspec.json.Decoder()
LARGEST = sys.float_info.max

halves = st.text(st.characters(categories=["Cs"]) | st.sampled_from('a\\"u1\U0001f600\ufffd'), max_size=6)
numbers = (
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | st.integers(10**300, 10**310)
)
documents = st.recursive(
    st.none() | st.booleans() | numbers | halves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(halves, inner, max_size=4),
    max_leaves=12,
)


def expected(value: Any) -> Any:
    """Returns the expected stored value, computed from the decoded value."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [expected(item) for item in value]
    if isinstance(value, dict):
        return {expected(name): expected(item) for name, item in value.items()}
    if type(value) is not int or -(2**63) <= value < 2**64:
        return value
    return float(value) if abs(value) <= LARGEST else LARGEST


def stored(value: Any) -> Any:
    if isinstance(value, list):
        return [stored(item) for item in value]
    if isinstance(value, dict):
        return {name: stored(item) for name, item in value.items()}
    return json_number(value) if type(value) is int else value


@given(documents)
def test_halves_become_u_fffd_and_every_number_is_kept(value: Any) -> None:
    read = stored(read_json(ANYTHING, json.dumps(value).encode(), {}))
    assert read == expected(value)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(read)) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb'"\ud83d"', "\ufffd"),
        (rb'"\uDE00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ud83d\ude00\ude00"', "\ufffd\U0001f600\ufffd"),
        (rb'"\\ud83d \\\ud83d \"\ude00"', '\\ud83d \\\ufffd "\ufffd'),
        (rb'{"\ud83d": {"a": "\u0041\ude00"}}', {"\ufffd": {"a": "A\ufffd"}}),
        (b"[1e400, -1E+400, 1.5e400, 1e-400, 1e300]", [LARGEST, -LARGEST, LARGEST, 0.0, 1e300]),
        (b"[%b, -%b, 1]" % (b"7" * 5_000, b"7" * 5_000), [LARGEST, -LARGEST, 1]),
        (rb'["1e400 \ud83d 1e400", 1e400]', ["1e400 \ufffd 1e400", LARGEST]),
    ],
)
def test_what_was_written_otherwise_stays_as_it_was(written: bytes, read: Any) -> None:
    assert read_json(ANYTHING, written, {}) == read


@pytest.mark.parametrize(
    "written",
    [b"", b"{", rb'"\ud83d', rb'"\ud83g"', rb'["\ud83d" 1]', b"[NaN, 1e400]", rb'["\ud83d", -Infinity]', b"\xff"],
)
def test_what_is_no_json_stays_none(written: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read_json(ANYTHING, written, EXACT)


@pytest.mark.parametrize(
    ("exact", "path"),
    [
        (EXACT, "other"),
        ({"id": EXACT}, "id"),
        ({"list": EXACT}, "list[1]"),
        ({"list": {"id": EXACT}}, "list[2].id"),
        ({"deep": {"a": {"b": EXACT}}}, "deep.a.b[0]"),
        ({"deep": EXACT}, "deep.a.b[0]"),
    ],
)
def test_an_exact_text_is_refused_with_its_path(exact: Exact, path: str) -> None:
    half = "\ud83d"
    document = {"other": half, "id": half, "list": ["", half, {"id": half}], "deep": {"a": {"b": [half]}}}
    with pytest.raises(UnpairedSurrogate, match=f"^{path}: an unpaired surrogate$".replace("[", r"\[")):
        read_json(ANYTHING, json.dumps(document).encode(), exact)


def test_what_is_not_exact_is_none_of_its_business() -> None:
    document = {"id": "a", "name": "\ud83d", "list": [{"id": 1, "x": "\ud83d"}, "\ud83d"]}
    exact: Exact = {"id": EXACT, "list": {"id": EXACT}, "missing": EXACT}
    assert read_json(ANYTHING, json.dumps(document).encode(), exact)["name"] == "\ufffd"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "written",
    [
        b'"' + rb"\ud83d" * 170_000 + b'"',
        rb'"\ud83d' + b"\\\\" * 500_000 + b'"',
        rb'"\ud83d' + b"\\" * 999_999 + b'"',
        rb'["\ud83d",' + b"1," * 500_000 + b"1]",
        b"[1e400," + b"9" * 1_000_000 + b"]",
        b"[1e400," + b"1e1," * 250_000 + b"1]",
        rb'"\ud83d' + b"1e" * 500_000,
    ],
)
def test_a_mebibyte_of_the_worst_is_read_or_refused_at_once(written: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError, UnpairedSurrogate):
        read_json(ANYTHING, written, EXACT if b"[" in written else {})
