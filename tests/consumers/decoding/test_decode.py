"""Which events are read and which are dead letters: attributes, keys, deletes, tombstones."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.decoding.event_record import decode
from service.domain.tickets.event import EventType, PoisonEvent, TicketEvent
from service.domain.tickets.history import LARGEST_SEQUENCE
from tests.consumers.records import (
    DATA,
    KEY,
    PLAIN,
    STRUCTURED,
    TENANT,
    TICKET,
    TIME,
    TIMESTAMP_MS,
    Headers,
    binary,
    cloud_event,
    decoded,
    event_or_reason,
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data_base64": "e30="}, "data_base64: not allowed together with data"),
        ({"data": ..., "data_base64": "e30@="}, "data_base64: not base64"),
        ({"data": ..., "data_base64": "é"}, "data_base64: not base64"),
        ({"data": ..., "data_base64": "e30"}, "data_base64: not base64"),
        ({"data": ..., "data_base64": "ew=="}, "data: not JSON"),
        ({"data": ..., "data_base64": "/w=="}, "data: not JSON"),
        ({"data": ..., "data_base64": ""}, "data: missing"),
        ({"data": ..., "data_base64": 1}, "data_base64: expected str"),
        ({"data": ...}, "data: missing"),
        ({"data": None}, "data: expected object"),
        ({"data": "{}"}, "data: expected object"),
        ({"data": [DATA]}, "data: expected object"),
        ({"specversion": ...}, "specversion: missing"),
        ({"specversion": "0.3"}, "specversion: only 1.0"),
        ({"specversion": 1.0}, "specversion: expected str"),
        ({"id": ...}, "id: missing"),
        ({"id": ""}, "id: missing"),
        ({"id": 5}, "id: expected str"),
        ({"source": None}, "source: missing"),
        ({"type": ...}, "type: missing"),
        ({"type": "ticket.merged"}, "type: none of ticket.created, "),
        ({"type": "Ticket.Created"}, "type: none of ticket.created, "),
        ({"type": ["ticket.created"]}, "type: expected str"),
        ({"tenantid": ...}, "tenantid: missing"),
        ({"tenantid": "x" * 65}, "tenantid: must be"),
        ({"tenantid": "acme inc"}, "tenantid: must be"),
        ({"tenantid": "acme\n"}, "tenantid: must be"),
        ({"tenantid": "éa"}, "tenantid: must be"),
        ({"subject": ...}, "subject: missing"),
        ({"subject": ""}, "subject: missing"),
        ({"subject": "x" * 129}, "subject: must be 1 to 128"),
        ({"subject": "a\u0085b"}, "subject: must be without control"),
        ({"subject": 45}, "subject: expected str"),
        ({"sequence": ...}, "sequence: missing"),
        ({"sequence": None}, "sequence: missing"),
        ({"time": "2026-11-21T10:15:00"}, "time: not an RFC 3339"),
        ({"time": 1795256100}, "time: expected str"),
        *(
            ({name: "a\ud83d"}, f"{name}: an unpaired surrogate")
            for name in ("id", "source", "subject", "tenantid", "time")
        ),
        ({"type": "ticket.updated\ude00"}, "type: none of"),
        ({"sequence": "7\ude00"}, "sequence: must be a whole number"),
        ({"data": ..., "data_base64": "e30=\ude00"}, "data_base64: not base64"),
        ({"datacontenttype": "text/json"}, "datacontenttype: neither"),
        ({"datacontenttype": "application/json-patch+json"}, "datacontenttype: neither"),
        ({"datacontenttype": ""}, "datacontenttype: neither"),
        ({"datacontenttype": {}}, "datacontenttype: expected str"),
    ],
)
def test_an_event_that_is_wrong_in_one_place_is_poison_and_says_where(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(PoisonEvent, match="^" + reason):
        decoded(cloud_event(**changes))


@pytest.mark.parametrize(
    ("sequence", "number"),
    [(0, 0), ("0", 0), ("007", 7), ("0" * 5_000, 0), (LARGEST_SEQUENCE, LARGEST_SEQUENCE), (str(2**63 - 1), 2**63 - 1)],
)
def test_a_sequence_is_a_number_or_its_digits(sequence: int | str, number: int) -> None:
    assert decoded(cloud_event(sequence=sequence)).sequence == number


@pytest.mark.parametrize(
    "sequence",
    [
        -1,
        1.5,
        7.0,
        2**63,
        10**400,
        True,
        [],
        "",
        "-1",
        "+7",
        "7.0",
        "1e3",
        " 7",
        "7\n",
        "1_0",
        "\N{ARABIC-INDIC DIGIT SEVEN}",
        "\N{SUPERSCRIPT TWO}",
        str(2**63),
    ],
)
def test_no_other_sequence_is_taken(sequence: Any) -> None:
    with pytest.raises(PoisonEvent, match=r"^sequence: "):
        decoded(cloud_event(sequence=sequence))


@pytest.mark.parametrize("time", [..., None, ""])
def test_without_a_time_the_records_timestamp_counts(time: Any) -> None:
    assert decoded(cloud_event(time=time)).time == TIMESTAMP_MS * 1_000


@pytest.mark.parametrize("timestamp_ms", [-1, 2**62])
def test_without_any_time_an_event_is_poison(timestamp_ms: int) -> None:
    with pytest.raises(PoisonEvent, match=r"^time: missing"):
        decode(None, json.dumps(cloud_event(time=...)).encode(), [], timestamp_ms)


@pytest.mark.parametrize(
    "subject", ["/support/l2", "auth0|1", "a+b@x.org", "é" * 128, "{x}", "\U0001f600" * 128, "a\u200db"]
)
def test_ids_are_taken_as_they_are(subject: str) -> None:
    event = decoded(cloud_event(subject=subject), key=f"{TENANT}/{subject}".encode())
    assert event.ticket == subject
    assert decoded(None, key=f"{TENANT}/{subject}".encode()).ticket == subject


@pytest.mark.parametrize("key", [b"", TICKET.encode(), b"7a1c/INC0000046", b"other/INC0000045", KEY + b"/", b"\xff"])
def test_a_key_that_says_otherwise_is_poison(key: bytes) -> None:
    for value in (cloud_event(), cloud_event(type="ticket.deleted", data=...)):
        with pytest.raises(PoisonEvent, match=r"^key: "):
            decoded(value, key=key)
    with pytest.raises(PoisonEvent, match=r"^key: "):
        decoded(None, binary(PLAIN), key)


@pytest.mark.parametrize("type_", list(EventType))
def test_each_type_is_known(type_: EventType) -> None:
    event = decoded(cloud_event(type=str(type_)))
    assert event.type is type_
    assert (event.change is None) == (type_ is EventType.DELETED)


@pytest.mark.parametrize("data", [..., None, {}, {"mergedInto": "other"}, {"status": None}, {"team": "network"}, DATA])
def test_a_delete_needs_no_data_and_ignores_it(data: Any) -> None:
    deleted = TicketEvent(TENANT, TICKET, 7, EventType.DELETED, TIME, None)
    assert decoded(cloud_event(type="ticket.deleted", data=data)) == deleted
    assert decoded(b"", binary(cloud_event(type="ticket.deleted", data=...))) == deleted


@pytest.mark.parametrize(
    "changes",
    [
        {"sequence": -1},
        {"datacontenttype": "text/plain"},
        {"time": "now"},
        {"id": ...},
        {"data": []},
        {"data": "gone"},
        {"data": {"status": 5}},
        {"data": {"dueAt": "soon"}},
        {"data": {"team": "\n"}},
    ],
)
def test_a_delete_is_checked_whole(changes: dict[str, Any]) -> None:
    with pytest.raises(PoisonEvent):
        decoded(cloud_event(type="ticket.deleted", **changes))


@pytest.mark.parametrize(
    ("headers", "key", "sequence"),
    [
        ([], KEY, None),
        (STRUCTURED, KEY, None),
        ([("ce_tenantid", TENANT.encode()), ("ce_subject", TICKET.encode())], None, None),
        ([("ce_subject", TICKET.encode()), ("ce_sequence", b"9"), ("ce_type", b"ticket.created")], KEY, 9),
        (binary(cloud_event(data=..., type="anything")), KEY, 7),
        (binary(PLAIN, b"text/plain"), None, 7),
    ],
)
def test_a_tombstone_deletes_whatever_its_type(headers: Headers, key: bytes | None, sequence: int | None) -> None:
    event = decoded(None, headers, key)
    time = TIME if ("ce_time", b"2026-11-21T10:15:00Z") in headers else TIMESTAMP_MS * 1_000
    assert event == TicketEvent(TENANT, TICKET, sequence, EventType.DELETED, time, None)


@pytest.mark.parametrize(
    ("headers", "key", "reason"),
    [
        ([], None, "tenantid: missing"),
        ([("ce_tenantid", b"7a1c")], None, "subject: missing"),
        ([("ce_tenantid", b"7a1c")], b"other/1", "key: "),
        ([("ce_subject", b"2")], b"7a1c/1", "key: "),
        ([], b"", "key: "),
        ([], b"7a1c", "key: "),
        ([], b"7a1c/\xff", "key: "),
        ([], b"7a1c/", "subject: missing"),
        ([], b"/1", "tenantid: missing"),
        ([], b"7 a/1", "tenantid: "),
        ([], b"7a1c/\x00", "subject: "),
        ([("ce_sequence", b"")], KEY, "sequence: "),
        ([("ce_sequence", b"-1")], KEY, "sequence: "),
        ([("ce_time", b"today")], KEY, "time: "),
        ([("ce_specversion", b"2.0")], KEY, "specversion: "),
    ],
)
def test_a_tombstone_that_names_no_ticket_or_two_is_poison(headers: Headers, key: bytes | None, reason: str) -> None:
    with pytest.raises(PoisonEvent, match="^" + reason):
        decoded(None, headers, key)


json_values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=1)


@given(
    st.dictionaries(st.sampled_from([*PLAIN, "data", "data_base64"]), json_values, max_size=2),
    st.none() | st.binary(max_size=9),
)
def test_whatever_stands_in_an_event_it_is_read_or_poison(changes: dict[str, Any], key: bytes | None) -> None:
    outcome = event_or_reason(cloud_event(**changes), key=key)
    if isinstance(outcome, str):
        assert outcome.partition(":")[0] in {*PLAIN, "data", "data_base64", "key"}
        assert "\n" not in outcome
    else:
        assert (outcome.tenant, outcome.ticket) == (changes.get("tenantid", TENANT), changes.get("subject", TICKET))
