"""CloudEvents in both content modes: which one a record is in, and what its data is."""

import base64
import json

import pytest

from service.domain.tickets.event import Patch, PoisonEvent
from service.domain.tickets.ticket import Ticket
from tests.consumers.records import (
    DATA,
    EXAMPLE,
    KEY,
    MERGE_PATCH,
    PLAIN,
    STRUCTURED,
    TIMESTAMP_MS,
    Headers,
    binary,
    cloud_event,
    decoded,
)


@pytest.mark.parametrize("headers", [[], STRUCTURED, [*STRUCTURED, ("ce_sequence", b"8")], [("trace", b"\xff")]])
def test_a_structured_event_is_read_with_or_without_saying_so(headers: Headers) -> None:
    assert decoded(cloud_event(), headers, KEY) == EXAMPLE


@pytest.mark.parametrize("content_type", [b"application/json", b"Application/JSON ; charset=utf-8", None])
def test_a_binary_event_says_the_same(content_type: bytes | None) -> None:
    assert decoded(DATA, binary(PLAIN, content_type), KEY) == EXAMPLE


def test_a_closing_event_closes_in_both_content_modes() -> None:
    closing = cloud_event(type="ticket.closed")
    event = decoded(closing)
    assert isinstance(event.change, Ticket)
    assert event.change.closed_by_event
    assert decoded(DATA, binary(cloud_event(type="ticket.closed", data=...))) == event


def test_header_names_are_read_in_any_letter_case_and_a_null_one_says_nothing() -> None:
    headers: Headers = [(name.upper(), value) for name, value in binary(cloud_event(data=..., time=...))]
    assert decoded(DATA, [*headers, ("ce_time", None)]).time == TIMESTAMP_MS * 1_000


def test_members_that_nobody_knows_are_ignored() -> None:
    strange = {"x": [None, {"y": 1e300}], "partitionkey": 5}
    assert decoded({**cloud_event(data={**DATA, **strange}), **strange}) == EXAMPLE
    assert decoded(DATA, [*binary(PLAIN), ("ce_traceparent", b"\xff")]) == EXAMPLE


def test_half_a_surrogate_pair_in_a_member_that_nobody_reads_is_ignored() -> None:
    strange = {"subjectLine": "a \ud83d", "\ude00": [{"\ud83d": "\ude00\ud83d"}], "large": 10**400}
    assert decoded({**cloud_event(data={**DATA, **strange}), **strange}) == EXAMPLE
    assert decoded(DATA | strange, binary(PLAIN)) == EXAMPLE


PATCH_TYPE = MERGE_PATCH.encode()


@pytest.mark.parametrize(
    ("content_type", "attribute"),
    [
        (None, b"application/merge-patch+json"),
        (PATCH_TYPE, b"Application/Merge-Patch+JSON;charset=utf-8"),
        (PATCH_TYPE, None),
    ],
)
def test_either_header_says_that_binary_data_is_a_patch(content_type: bytes | None, attribute: bytes | None) -> None:
    change = decoded({"status": "1"}, [*binary(PLAIN, content_type), ("ce_datacontenttype", attribute)]).change
    assert change == Patch({"status": "1"})


@pytest.mark.parametrize(
    ("content_type", "attribute"),
    [(b"application/json", PATCH_TYPE), (PATCH_TYPE, b"application/json"), (b"application/json", b"text/json")],
)
def test_headers_that_contradict_each_other_are_poison(content_type: bytes, attribute: bytes) -> None:
    with pytest.raises(PoisonEvent, match=r"^ce_datacontenttype: contradicts content-type$"):
        decoded(DATA, [*binary(PLAIN, content_type), ("ce_datacontenttype", attribute)])


def test_a_copied_header_that_contradicts_a_structured_event_is_poison() -> None:
    assert decoded(cloud_event(), [*STRUCTURED, ("ce_datacontenttype", b"application/json")]) == EXAMPLE
    with pytest.raises(PoisonEvent, match=r"^ce_datacontenttype: contradicts datacontenttype$"):
        decoded(cloud_event(), [*STRUCTURED, ("ce_datacontenttype", PATCH_TYPE)])


def test_of_a_repeated_member_the_last_counts() -> None:
    written = json.dumps(cloud_event()).replace('"sequence": "7"', '"sequence": "6", "sequence": 7')
    assert decoded(written.encode()) == EXAMPLE


def test_data_may_be_written_in_base64() -> None:
    written = base64.b64encode(json.dumps(DATA).encode()).decode()
    assert decoded(cloud_event(data=..., data_base64=written)) == EXAMPLE


def test_a_merge_patch_is_known_by_its_content_type() -> None:
    change = Patch({"status": "3748"})
    structured = cloud_event(datacontenttype="application/merge-patch+json;v=1", data={"status": "3748"})
    assert decoded(structured).change == change
    assert decoded({"status": "3748"}, binary(PLAIN, MERGE_PATCH.encode())).change == change


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", b"application/json")],
        [("content-type", b"application/cloudevents")],
        [("content-type", b"application/cloudevents+avro")],
        [("content-type", b"application/cloudevents-batch+json")],
        [("content-type", b"\xff")],
        [("content-type", b"application/cloudevents+json"), ("content-type", b"application/json")],
        [("ce_id", b"e-1")],
    ],
)
def test_a_record_whose_headers_say_otherwise_is_no_structured_event(headers: Headers) -> None:
    with pytest.raises(PoisonEvent, match=r"^(content-type|specversion): "):
        decoded(cloud_event(), headers)
