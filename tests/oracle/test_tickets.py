"""Examples of ticket histories: sequences, deletes, tombstones, merge patches, dead letters."""

import json
from typing import Any

import pytest

from tests.oracle.generated.bad_records import ATTRIBUTES, FIELDS, good_event, too_large
from tests.oracle.published.log import as_record
from tests.oracle.published.records import MERGE_PATCH, Event, LogItem, Record, Refused, read
from tests.oracle.tickets import Ticket, after, merge_patch

KEY = b"acme/INC1"


def event(sequence: int | str, type_: str = "ticket.updated", *, patch: bool = False, **data: Any) -> dict[str, Any]:
    if not patch:
        data = {"status": "new", "createdAt": "2026-11-21T08:00:00Z", **data}
    whole = {**good_event("acme", "INC1"), "sequence": sequence, "type": type_, "data": data}
    return {**whole, "datacontenttype": MERGE_PATCH} if patch else whole


def tombstone(sequence: int | None = None) -> Record:
    headers = () if sequence is None else (("ce_sequence", str(sequence).encode()), ("ce_type", b"ticket.created"))
    return Record(None, KEY, headers)


def story(*items: LogItem) -> Ticket | None:
    ticket = None
    for item in items:
        ticket = after(ticket, read(item))
    return ticket


def assignee(*items: LogItem) -> object:
    """Returns the assignee after these records, or "gone" for a deleted or unknown ticket."""
    ticket = story(*items)
    return "gone" if ticket is None or ticket.data is None else ticket.data.get("assignee")


def test_the_highest_sequence_wins_in_any_order() -> None:
    assert assignee(event(1, assignee="a"), event("3", assignee="c"), event(2, assignee="b")) == "c"
    assert assignee(event("9", assignee="a"), event("10", assignee="b")) == "b"
    assert assignee(event(2**53, assignee="a"), event(2**53 + 1, assignee="b")) == "b"
    assert assignee(event(2**63 - 1, assignee="a"), event(2**63 - 2, assignee="b")) == "a"


def test_the_first_applied_wins_on_an_equal_sequence() -> None:
    assert assignee(event(1, assignee="a"), event(1, assignee="b")) == "a"
    assert assignee(event(0, assignee="a"), event("0", "ticket.deleted")) == "a"


def test_a_late_older_update_never_brings_a_deleted_ticket_back_but_a_newer_one_does() -> None:
    told = [event(1, assignee="a"), event(5, "ticket.deleted")]
    assert assignee(*told, event(4, assignee="b")) == "gone"
    assert assignee(*told, event(5, assignee="b")) == "gone"
    assert assignee(*told, event(6, assignee="b")) == "b"
    assert assignee(event(5, "ticket.deleted"), event(4, assignee="b")) == "gone"
    assert assignee(event(6, assignee="b"), event(5, "ticket.deleted")) == "b"


def test_a_delete_needs_no_data() -> None:
    bare = event(2, "ticket.deleted")
    del bare["data"]
    assert assignee(event(1), bare) == "gone"
    assert assignee(event(1), as_record(bare, binary=True)) == "gone"


def test_a_tombstone_with_a_sequence_obeys_it_like_a_delete() -> None:
    assert assignee(event(3, assignee="a"), tombstone(3)) == "a"
    assert assignee(event(3, assignee="a"), tombstone(4)) == "gone"
    assert assignee(tombstone(4), event(3, assignee="a")) == "gone"
    assert assignee(tombstone(4), event(5, assignee="a")) == "a"


def test_a_tombstone_without_a_sequence_is_one_after_the_last() -> None:
    assert story(event(7), tombstone()) == Ticket(8, "ticket.deleted", None)
    assert assignee(event(7), tombstone(), event(8, assignee="a")) == "gone"
    assert assignee(event(7), tombstone(), event(9, assignee="a")) == "a"


def test_a_tombstone_without_a_sequence_changes_nothing_of_an_unknown_or_deleted_ticket() -> None:
    assert story(tombstone()) is None
    assert assignee(tombstone(), event(0, assignee="a")) == "a"
    assert story(event(7, "ticket.deleted"), tombstone()) == Ticket(7, "ticket.deleted", None)


def test_a_merge_patch_changes_removes_and_adds_on_the_last_state() -> None:
    told = story(
        event(1, assignee="a", team="network", fields={"product": "P", "level": 1}),
        event(5, patch=True, team=None, assignee="b", fields={"level": None, "size": {"x": None, "y": 1}}),
    )
    assert told is not None
    assert told.data == {
        "status": "new",
        "createdAt": "2026-11-21T08:00:00Z",
        "assignee": "b",
        "fields": {"product": "P", "size": {"y": 1}},
    }


def test_merge_patches_follow_the_examples_of_the_rfc() -> None:
    examples: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]
    assert [merge_patch(target, patch) for target, patch, _ in examples] == [result for *_, result in examples]


def test_a_patch_needs_a_ticket_and_leaves_it_whole() -> None:
    patch = event(9, patch=True, assignee="b")
    for told in ([], [event(1), event(2, "ticket.deleted")], [event(1), tombstone()]):
        with pytest.raises(Refused):
            story(*told, patch)
    with pytest.raises(Refused):
        story(event(1), event(2, patch=True, status=None))
    old = event(2, patch=True, assignee="b")
    assert assignee(event(1), event(3, "ticket.deleted"), old) == "gone"


def test_both_content_modes_say_the_same() -> None:
    for said in (event("7", assignee="a|b"), event(8, patch=True, team="ünï"), event(9, "ticket.deleted")):
        assert read(said) == read(as_record(said)) == read(as_record(said, binary=True))


def test_a_key_that_says_otherwise_is_refused_and_a_missing_one_is_not() -> None:
    value = json.dumps(event(1)).encode()
    assert read(Record(value)) == read(Record(value, KEY)) == read(event(1))
    for key in (b"acme/INC2", b"Acme/INC1", b"INC1", b"acme/INC1/"):
        with pytest.raises(Refused):
            read(Record(value, key))


def test_a_ticket_id_may_hold_slashes() -> None:
    assert read(Record(None, b"acme//t/1")) == Event("acme", "/t/1", "ticket.deleted", None)


ONLY_THE_CATALOGUE_CAN_TELL = {"tenantid": "unknown-tenant"}


@pytest.mark.parametrize(
    "wrong", [wrong for wrong in ATTRIBUTES if wrong != ONLY_THE_CATALOGUE_CAN_TELL], ids=json.dumps
)
def test_a_wrong_attribute_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        read({**event(1), **wrong})


@pytest.mark.parametrize("wrong", FIELDS, ids=json.dumps)
def test_a_field_of_another_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        read(event(1, **wrong))


def test_a_record_over_one_mebibyte_is_refused() -> None:
    record = too_large("acme", "INC1")
    assert record.value is not None
    with pytest.raises(Refused):
        read(record)
    assert read(Record(record.value.replace(b"x", b"", 1))).ticket == "INC1"
