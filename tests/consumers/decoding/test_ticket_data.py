"""The data of an event, member by member: types, ids, instants, fields, whole and as a patch."""

import base64
import json
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.tickets.event import EventType, Patch, PoisonEvent
from service.domain.tickets.ticket import Ticket
from tests.consumers.records import DATA, MERGE_PATCH, PLAIN, binary, cloud_event, decoded, decoded_data

LARGEST_DOUBLE = sys.float_info.max

IDS = ("status", "priority", "category", "team", "assignee", "requester")
INSTANTS = ("createdAt", "updatedAt", "dueAt", "slaDueAt", "closedAt")
REQUIRED = ("status", "createdAt")
LEAST = {"status": "3747", "createdAt": "1970-01-01T00:00:00Z"}

NO_TEXT: tuple[Any, ...] = (1, 1.5, True, [], {})
NO_ID: tuple[Any, ...] = (*NO_TEXT, "x" * 129, "a\nb", "\x00", "\x7f", "a\u009f")
NO_INSTANT: tuple[Any, ...] = (*NO_TEXT, "soon", "2026-11-21", "2026-11-21T08:00:00")
WRONG: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(IDS, NO_ID),
    **dict.fromkeys(INSTANTS, NO_INSTANT),
    "slaBreached": (0, "false", [], {}),
    "tags": ("vip", {}, True, [1], [None], [["vip"]]),
    "fields": ("x", [], 1, False),
}


def whole(data: Any, **changes: Any) -> Ticket:
    change = decoded_data({**LEAST, **data}, **changes).change
    assert isinstance(change, Ticket)
    return change


def patch(data: Any) -> dict[str, Any]:
    change = decoded_data(data, datacontenttype=MERGE_PATCH).change
    assert isinstance(change, Patch)
    return change.members


def test_a_ticket_needs_no_more_than_a_status_and_a_creation() -> None:
    assert whole({}) == Ticket("3747", 0)


@pytest.mark.parametrize("empty", [None, ""])
def test_null_and_empty_ids_and_instants_are_none(empty: str | None) -> None:
    names = {name for name in (*IDS, *INSTANTS) if name not in REQUIRED}
    assert whole(dict.fromkeys(names, empty)) == Ticket("3747", 0)


def test_null_flags_tags_and_fields_are_empty() -> None:
    assert whole({"slaBreached": None, "tags": None, "fields": None}) == Ticket("3747", 0)


def test_a_ticket_keeps_tags_and_fields_as_they_are() -> None:
    fields = {"a": None, "b": [1, {"c": ""}], "": -0.5, "d": 2**64 - 1, "e": -(2**63)}
    ticket = whole({"tags": ["b", "", "b", "a\n"], "fields": fields, "slaBreached": True})
    assert ticket == Ticket("3747", 0, tags=("b", "", "b", "a\n"), fields=fields, sla_breached=True)


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [..., None, ""])
def test_status_and_creation_are_required_of_a_whole_ticket(name: str, value: Any) -> None:
    data = {other: given for other, given in {**DATA, name: value}.items() if given is not ...}
    with pytest.raises(PoisonEvent, match=f"^data.{name}: missing"):
        decoded_data(data)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
def test_a_member_of_another_type_or_form_is_poison_in_tickets_and_patches(
    name: str, value: Any, content_type: str
) -> None:
    with pytest.raises(PoisonEvent, match=rf"^data\.{name}\b.*: ") as poison:
        decoded_data({**DATA, name: value}, datacontenttype=content_type)
    assert "\n" not in str(poison.value)


def test_an_id_may_be_128_characters_of_any_width() -> None:
    assert whole({"team": "\U0001f600" * 128}).team == "\U0001f600" * 128
    assert whole({"team": "نص\u200c\u2028"}).team == "نص\u200c\u2028"


def test_only_a_closing_event_says_so_in_the_ticket() -> None:
    assert [whole({}, type=str(type_)).closed_by_event for type_ in EventType if type_ is not EventType.DELETED] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (str(2**64), 2.0**64),
        (str(2**64 + 1), 2.0**64),
        (str(-(2**63) - 1), -(2.0**63)),
        (str(10**30), 1e30),
        ("1e30", 1e30),
        ("-" + "9" * 400, -LARGEST_DOUBLE),
        ("9" * 5_000, LARGEST_DOUBLE),
        ("1e999", LARGEST_DOUBLE),
        ("-1.5E+999", -LARGEST_DOUBLE),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
def test_a_number_beyond_64_bits_is_kept_as_a_double(written: str, kept: float, content_type: str) -> None:
    """The largest one where it is beyond those too."""
    event = json.dumps(cloud_event(datacontenttype=content_type)).replace(
        '"reopenCount": 1', f'"a": [{{"b": {written}}}]'
    )
    change = decoded(event.encode()).change
    fields = change.members["fields"] if isinstance(change, Patch) else change.fields if change else {}
    assert fields["a"] == [{"b": kept}]
    assert isinstance(fields["a"][0]["b"], float)


HALF = "\ud83d"


@pytest.mark.parametrize("name", [*IDS, *INSTANTS])
@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
def test_half_a_surrogate_pair_in_an_id_or_an_instant_is_poison(name: str, content_type: str) -> None:
    with pytest.raises(PoisonEvent, match=f"^data.{name}: an unpaired surrogate$"):
        decoded_data({**DATA, name: f"a{HALF}"}, datacontenttype=content_type)
    with pytest.raises(PoisonEvent, match=f"^data.{name}: an unpaired surrogate$"):
        decoded({**DATA, name: f"a{HALF}"}, binary(PLAIN, content_type.encode()))


@pytest.mark.parametrize("content_type", ["application/json", MERGE_PATCH])
def test_half_a_surrogate_pair_in_another_text_becomes_u_fffd(content_type: str) -> None:
    texts = {"tags": ["a", HALF], "fields": {HALF: [HALF, {"x": f"{HALF}y"}]}, "subjectLine": f"a {HALF}"}
    expected = {"tags": ("a", "\ufffd"), "fields": {"\ufffd": ["\ufffd", {"x": "\ufffdy"}]}}
    written = json.dumps({**DATA, **texts}).encode()
    in_base64 = cloud_event(data=..., data_base64=base64.b64encode(written).decode(), datacontenttype=content_type)
    for event in (
        decoded_data({**DATA, **texts}, datacontenttype=content_type),
        decoded(written, binary(PLAIN, content_type.encode())),
        decoded(in_base64),
    ):
        change = event.change
        assert change is not None
        found = change.members if isinstance(change, Patch) else msgspec.structs.asdict(change)
        assert {name: found[name] for name in expected} == expected


def test_a_patch_holds_only_what_it_names() -> None:
    assert patch({}) == {}
    assert patch({"unknown": 1, "assignee": "ann", "dueAt": "1970-01-01T00:00:01Z", "slaBreached": True}) == {
        "assignee": "ann",
        "due_at": 1_000_000,
        "sla_breached": True,
    }


def test_a_patch_of_every_member_is_the_whole_ticket() -> None:
    event = decoded_data(DATA)
    assert isinstance(event.change, Ticket)
    assert patch(DATA) == {
        name: value for name, value in msgspec.structs.asdict(event.change).items() if name != "closed_by_event"
    }


@pytest.mark.parametrize("empty", [None, ""])
def test_a_patch_removes_ids_and_instants_by_null_or_an_empty_text(empty: str | None) -> None:
    assert patch({"team": empty, "closedAt": empty}) == {"team": None, "closed_at": None}


def test_a_patch_removes_flags_tags_and_fields_by_null() -> None:
    assert patch({"slaBreached": None, "tags": None, "fields": None}) == {
        "sla_breached": False,
        "tags": (),
        "fields": None,
    }


def test_nulls_inside_patched_fields_are_kept_for_the_merge() -> None:
    assert patch({"fields": {"a": None, "b": {"c": None}}}) == {"fields": {"a": None, "b": {"c": None}}}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("empty", [None, ""])
def test_a_patch_cannot_remove_what_each_ticket_has(name: str, empty: str | None) -> None:
    with pytest.raises(PoisonEvent, match=f"^data.{name}: can't be removed"):
        patch({name: empty})


@pytest.mark.parametrize("data", [[], "x", 1, True, None])
def test_a_patch_that_is_no_object_is_poison(data: Any) -> None:
    with pytest.raises(PoisonEvent, match=r"^data: expected object"):
        patch(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_fields_are_the_same_when_they_come_back_from_the_store(fields: dict[str, Any]) -> None:
    ticket = whole({"fields": fields})
    assert ticket.fields == _as_stored(fields)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ticket), type=Ticket) == ticket


def _as_stored(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_stored(item) for item in value]
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
