"""What a line becomes: keys as the contract has them, bytes as they came, and a clear word about a bad one."""

import json
from typing import Any

import pytest

from consumers.publishing.ndjson import MAX_LINE_BYTES, BadLine, Record, record


def line(**members: Any) -> bytes:
    return json.dumps(members).encode()


def test_an_event_is_keyed_by_tenant_and_ticket_and_keeps_its_bytes() -> None:
    text = b'{"specversion" : "1.0","x":1.50,  "tenantid":"t1","subject":"INC/\\u00e4", "data":{"a":[1,{}]}}'
    assert record(text) == Record(is_event=True, key="t1/INC/ä".encode(), value=text)


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        ("realm", {"name": "acme", "id": "other"}, b"realm/acme"),
        ("tenant", {"id": "t1"}, b"tenant/t1"),
        ("filter", {"id": "/a/b", "tenant": "t1"}, b"filter/t1//a/b"),
        ("profile", {"id": "p", "tenant": "t1"}, b"profile/t1/p"),
        ("credential", {"identifier": "c", "tenant": "t1"}, b"credential/c"),
    ],
)
def test_a_catalogue_entry_has_the_key_of_its_kind(kind: str, value: dict[str, str], key: bytes) -> None:
    assert record(line(kind=kind, value=value)) == Record(is_event=False, key=key, value=json.dumps(value).encode())


def test_an_entry_keeps_the_bytes_of_its_value() -> None:
    assert record(b'{"value": {"id":  "t1" ,"n":1.0} , "kind":"tenant"}').value == b'{"id":  "t1" ,"n":1.0}'


HALF = "\ud83d"
TICKET = {"specversion": "1.0", "id": "e", "source": "/s", "tenantid": "t1", "subject": "INC1"}


@pytest.mark.parametrize(
    ("members", "said"),
    [
        *(
            (TICKET | {name: f"a{HALF}"}, f"{name}: an unpaired")
            for name in ("id", "source", "tenantid", "subject", "time")
        ),
        (TICKET | {"data": {"status": HALF}}, "data.status: an unpaired surrogate"),
        ({"kind": "tenant", "id": HALF, "value": None}, "id: an unpaired surrogate"),
        ({"kind": "filter", "tenant": HALF, "id": "a", "value": None}, "tenant: an unpaired surrogate"),
        ({"kind": "realm", "value": {"name": HALF}}, "value.name: an unpaired surrogate"),
        (
            {"kind": "tenant", "value": {"id": "t1", "statuses": [{}, {"id": HALF}]}},
            "value.statuses[1].id: an unpaired",
        ),
        (
            {"kind": "filter", "value": {"id": "f", "where": {"any": [{"value": [HALF]}]}}},
            "value.where.any[0].value[0]: an",
        ),
        ({"kind": HALF, "value": {}}, "kind: must be one of"),
    ],
)
def test_half_a_surrogate_pair_is_refused_where_text_is_exact(members: dict[str, Any], said: str) -> None:
    with pytest.raises(BadLine) as refused:
        record(line(**members))
    assert str(refused.value).startswith(said)


def test_half_a_surrogate_pair_in_another_text_is_the_consumers_to_read() -> None:
    event = line(**TICKET, data={"status": "1", "tags": [HALF], "subjectLine": HALF})
    assert record(event) == Record(is_event=True, key=b"t1/INC1", value=event)
    entry = record(line(kind="tenant", value={"id": "t1", "name": f"A {HALF}", "rank": 1.50, "id2": HALF}))
    assert entry.key == b"tenant/t1"
    assert entry.value == rb'{"id": "t1", "name": "A \ufffd", "rank": 1.5, "id2": "\ufffd"}'


@pytest.mark.parametrize("number", ["1e400", "9" * 5_000])
def test_a_number_of_any_size_is_passed_on_as_it_is(number: str) -> None:
    value = f'{{"id": "t1", "priorities": [{{"rank": {number}}}]}}'
    taken = record(f'{{"kind": "tenant", "value": {value}}}'.encode())
    assert taken == Record(is_event=False, key=b"tenant/t1", value=value.encode())


def test_a_line_nested_beyond_all_reason_is_bad() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for text in (b'{"specversion": "1.0", "x": %b}' % deep, b'{"kind": "tenant", "value": %b}' % deep):
        with pytest.raises(BadLine):
            record(text)


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({"kind": "realm", "id": "acme"}, b"realm/acme"),
        ({"kind": "tenant", "id": "t1"}, b"tenant/t1"),
        ({"kind": "filter", "tenant": "t1", "id": "f"}, b"filter/t1/f"),
        ({"kind": "profile", "tenant": "t1", "id": "p"}, b"profile/t1/p"),
        ({"kind": "credential", "id": "c"}, b"credential/c"),
    ],
)
def test_a_null_value_removes_the_entry_of_the_same_key(members: dict[str, str], key: bytes) -> None:
    assert record(line(**members, value=None)) == Record(is_event=False, key=key, value=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "is not JSON: "),
        (b"{} {}", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[1]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b"{}", "is neither a CloudEvent (specversion) nor a catalogue entry (kind)"),
        (line(specversion="1.0", subject="1"), "tenantid: must be a text that isn't empty"),
        (line(specversion="1.0", tenantid="t", subject=7), "subject: must be a text that isn't empty"),
        (line(kind="team", value={}), "kind: must be one of realm, tenant, filter, profile, credential, not 'team'"),
        (line(kind=["x"], value={}), "kind: must be one of "),
        (line(kind="tenant"), "value: is missing; null removes the entry"),
        (line(kind="tenant", value=[]), "value: must be an object, or null to remove the entry"),
        (line(kind="tenant", value={}), "value.id: must be a text that isn't empty"),
        (line(kind="realm", value={"id": "x"}), "value.name: must be"),
        (line(kind="credential", value={"id": "x"}), "value.identifier: must be"),
        (line(kind="filter", value={"id": "f"}), "value.tenant: must be"),
        (line(kind="filter", id="f", value=None), "tenant: must be"),
        (line(kind="filter", tenant="t", value=None), "id: must be"),
    ],
)
def test_a_bad_line_is_told_what_is_wrong_with_it(text: bytes, said: str) -> None:
    with pytest.raises(BadLine) as raised:
        record(text)
    assert str(raised.value).startswith(said)


def test_a_line_longer_than_a_topic_takes_is_refused_and_one_over_a_mebibyte_is_not() -> None:
    event = {"specversion": "1.0", "tenantid": "t", "subject": "1"}
    assert record(line(**event, data="x" * 1_100_000)).is_event
    with pytest.raises(BadLine, match="is the most a topic takes"):
        record(line(**event, data="x" * MAX_LINE_BYTES))
