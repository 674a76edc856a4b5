"""Bytes that are no event: too many, too deep, not JSON, not UTF-8. None takes long or ends in another error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.decoding.event_record import LARGEST_VALUE_BYTES
from service.domain.tickets.event import PoisonEvent, TicketEvent
from tests.consumers.records import (
    DATA,
    EXAMPLE,
    PLAIN,
    STRUCTURED,
    Json,
    binary,
    cloud_event,
    decoded,
    event_or_reason,
)


def padded(size: int) -> bytes:
    written = json.dumps(cloud_event(padding="")).encode()
    return written.replace(b'"padding": "', b'"padding": "' + b"x" * (size - len(written)))


def test_a_record_may_be_one_mebibyte_and_not_a_byte_more() -> None:
    assert decoded(padded(LARGEST_VALUE_BYTES)) == EXAMPLE
    with pytest.raises(PoisonEvent, match=r"^value: 1048577 bytes"):
        decoded(padded(LARGEST_VALUE_BYTES + 1))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        json.dumps(cloud_event()).encode()[:-1],
        json.dumps(cloud_event()).encode() + b"{}",
        json.dumps(cloud_event()).encode("utf-16"),
        json.dumps(cloud_event(padding="é"), ensure_ascii=False).encode("latin-1"),
        json.dumps(cloud_event(padding="@")).encode().replace(b"@", b"\xed\xa0\x80"),
        json.dumps(cloud_event(padding="@")).encode().replace(b"@", rb"\ud80"),
        json.dumps(cloud_event(padding=float("nan"))).encode(),
        b"[" * LARGEST_VALUE_BYTES,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
        (b"[" * 200 + b'"' + b'\\"' * LARGEST_VALUE_BYTES)[:LARGEST_VALUE_BYTES],
    ],
)
@pytest.mark.timeout(5)
def test_bytes_that_are_no_json_object_are_poison(value: bytes) -> None:
    with pytest.raises(PoisonEvent, match=r"^value: "):
        decoded(value)


@pytest.mark.parametrize("inner", [b"[", b'{"a":'])
def test_nesting_has_one_limit_in_both_content_modes(inner: bytes) -> None:
    def with_levels(event: Json, levels: int) -> bytes:
        """The event with a member of so many levels more, and text that would be as many if it counted."""
        value = inner * levels + b"1" + (b"]" if inner == b"[" else b"}") * levels
        return json.dumps({**event, "x": "[{" * 60}).encode()[:-1] + b', "deep": ' + value + b"}"

    assert decoded(with_levels(cloud_event(), 99)) == EXAMPLE
    assert decoded(with_levels(DATA, 99), binary(PLAIN)) == EXAMPLE
    with pytest.raises(PoisonEvent, match=r"^value: nested deeper than 100 levels"):
        decoded(with_levels(cloud_event(), 100))
    with pytest.raises(PoisonEvent, match=r"^data: nested deeper than 100 levels"):
        decoded(with_levels(DATA, 100), binary(PLAIN))


@pytest.mark.parametrize("written", [b"", b"{", b'"\xff"', b'{"x": "\xc3("}'])
def test_data_of_a_binary_event_is_held_to_the_same(written: bytes) -> None:
    with pytest.raises(PoisonEvent, match=r"^data: (not JSON|missing)"):
        decoded(written, binary(PLAIN))


@given(st.data())
def test_whatever_happens_to_the_bytes_they_are_read_or_poison(data: st.DataObject) -> None:
    written = bytearray(json.dumps(cloud_event()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(written) - 1))
        written[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    outcome = event_or_reason(bytes(written), data.draw(st.sampled_from([[], STRUCTURED, binary(PLAIN)])))
    assert outcome
    assert isinstance(outcome, TicketEvent) or "\n" not in outcome
