"""Events applied to a ticket, compared with a model that takes the highest sequence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.tickets.event import EventType, Patch, PoisonEvent, TicketEvent
from service.domain.tickets.history import LARGEST_SEQUENCE, Advanced, Unchanged, advance, merge_patch
from service.domain.tickets.ticket import Ticket, TicketState

OPEN = Ticket("open", 1_000, assignee="ann", tags=("vip",), fields={"product": "P-1", "at": {"city": "Oslo", "zip": 1}})


def whole(sequence: int, ticket: Ticket = OPEN, type_: EventType = EventType.UPDATED) -> TicketEvent:
    return TicketEvent("t", "1", sequence, type_, 5_000 + sequence % 1_000, ticket)


def patch(sequence: int, type_: EventType = EventType.UPDATED, **members: Any) -> TicketEvent:
    return TicketEvent("t", "1", sequence, type_, 5_000 + sequence % 1_000, Patch(members))


def delete(sequence: int | None) -> TicketEvent:
    return TicketEvent("t", "1", sequence, EventType.DELETED, 5_000 + (sequence or 0) % 1_000, None)


def after(*events: TicketEvent, ticket_state: TicketState | None = None) -> TicketState | None:
    for event in events:
        outcome = advance(ticket_state, event)
        if isinstance(outcome, Advanced):
            ticket_state = outcome.ticket_state
    return ticket_state


def ticket_after(*events: TicketEvent) -> Ticket:
    ticket_state = after(*events)
    assert ticket_state is not None
    assert ticket_state.ticket is not None
    return ticket_state.ticket


tickets = st.builds(
    Ticket,
    status=st.sampled_from(["open", "done"]),
    created_at=st.integers(0, 3),
    assignee=st.none() | st.sampled_from(["ann", "bob"]),
    tags=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
)


@st.composite
def whole_histories(draw: st.DrawFn) -> list[TicketEvent]:
    """Draws whole tickets and deletes of one ticket with distinct sequences."""
    sequences = draw(
        st.lists(st.integers(0, 9) | st.integers(0, LARGEST_SEQUENCE), min_size=1, max_size=8, unique=True)
    )
    return [draw(st.builds(whole, st.just(n), tickets) | st.builds(delete, st.just(n))) for n in sorted(sequences)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.sampled_from("abc"), json_values, max_size=3)


@given(whole_histories(), st.data())
def test_any_order_with_any_duplicates_ends_in_the_state_of_the_highest_sequence(
    history: list[TicketEvent], data: st.DataObject
) -> None:
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=5))
    shuffled = data.draw(st.permutations([*history, *repeated]))
    newest = history[-1]
    assert isinstance(newest.sequence, int)
    assert after(*shuffled) == TicketState(newest.sequence, newest.change, newest.time)  # type: ignore[arg-type]


@given(whole_histories(), st.lists(json_objects, max_size=3), st.data())
def test_replaying_any_tail_changes_nothing(
    history: list[TicketEvent], patches: list[dict[str, Any]], data: st.DataObject
) -> None:
    last = history[-1]
    if last.change is not None and last.sequence is not None and last.sequence < LARGEST_SEQUENCE - 3:
        history += [patch(last.sequence + 1 + n, fields=fields) for n, fields in enumerate(patches)]
    ticket_state = after(*history)
    for event in history[data.draw(st.integers(0, len(history))) :]:
        outcome = advance(ticket_state, event)
        assert outcome is (Unchanged.DUPLICATE if event is history[-1] else Unchanged.LATE)


def test_the_first_event_of_a_ticket_applies_whatever_its_sequence() -> None:
    assert advance(None, whole(0)) == Advanced(TicketState(0, OPEN, 5_000))
    assert after(whole(LARGEST_SEQUENCE)) == TicketState(LARGEST_SEQUENCE, OPEN, 5_000 + LARGEST_SEQUENCE % 1_000)


def test_an_event_above_the_last_sequence_replaces_the_ticket() -> None:
    moved = Ticket("done", 1_000)
    assert advance(after(whole(3)), whole(9, moved)) == Advanced(TicketState(9, moved, 5_009))


def test_an_event_below_the_last_sequence_is_late() -> None:
    ticket_state = after(whole(3))
    for event in (whole(2), delete(2), patch(2, status="done")):
        assert advance(ticket_state, event) is Unchanged.LATE


def test_the_same_sequence_with_the_same_content_is_a_duplicate() -> None:
    assert advance(
        after(whole(3)), whole(3, Ticket(**{name: getattr(OPEN, name) for name in OPEN.__struct_fields__}))
    ) is (Unchanged.DUPLICATE)
    assert advance(after(delete(3)), delete(3)) is Unchanged.DUPLICATE
    assert advance(after(whole(2), patch(3, status="done")), patch(3, status="done")) is Unchanged.DUPLICATE


def test_of_two_contents_under_one_sequence_the_first_wins() -> None:
    ticket_state = after(whole(3))
    for event in (whole(3, Ticket("done", 1_000)), delete(3), patch(3, status="done")):
        assert advance(ticket_state, event) is Unchanged.CONFLICTING
    for event in (whole(3), patch(3, status="done")):
        assert advance(after(delete(3)), event) is Unchanged.CONFLICTING


def test_a_delete_is_remembered_against_older_events() -> None:
    assert advance(after(whole(3)), delete(5)) == Advanced(TicketState(5, None, 5_005))
    assert advance(after(whole(3), delete(5)), whole(4)) is Unchanged.LATE


def test_a_delete_of_a_ticket_never_seen_is_remembered_too() -> None:
    assert advance(None, delete(5)) == Advanced(TicketState(5, None, 5_005))
    assert advance(after(delete(5)), whole(4)) is Unchanged.LATE


def test_a_newer_event_brings_a_deleted_ticket_back() -> None:
    assert advance(after(whole(3), delete(5)), whole(6)) == Advanced(TicketState(6, OPEN, 5_006))


def test_a_newer_delete_of_a_deleted_ticket_moves_its_sequence_on() -> None:
    assert advance(after(delete(5)), delete(8)) == Advanced(TicketState(8, None, 5_008))


def test_a_tombstone_without_sequence_comes_one_after_the_last() -> None:
    assert advance(after(whole(3)), delete(None)) == Advanced(TicketState(4, None, 5_000))
    assert advance(after(whole(3), delete(None)), whole(4)) is Unchanged.CONFLICTING
    assert isinstance(advance(after(whole(3), delete(None)), whole(5)), Advanced)


def test_a_tombstone_without_sequence_has_nothing_to_delete_of_an_unknown_or_deleted_ticket() -> None:
    assert advance(None, delete(None)) is Unchanged.NOTHING_TO_DELETE
    assert advance(after(delete(3)), delete(None)) is Unchanged.NOTHING_TO_DELETE


def test_after_the_very_last_sequence_a_tombstone_still_deletes_for_good() -> None:
    ticket_state = after(whole(LARGEST_SEQUENCE), delete(None))
    assert ticket_state == TicketState(LARGEST_SEQUENCE, None, 5_000)
    assert advance(ticket_state, whole(LARGEST_SEQUENCE)) is Unchanged.CONFLICTING


@pytest.mark.parametrize("event", [whole(4), delete(4), delete(None), patch(4, status="done")])
def test_what_the_ticket_contributes_is_left_to_the_caller(event: TicketEvent) -> None:
    outcome = advance(TicketState(3, OPEN, 5_003, mask=0b101, next_change_at=9_000), event)
    assert isinstance(outcome, Advanced)
    assert (outcome.ticket_state.mask, outcome.ticket_state.next_change_at) == (0b101, 9_000)


@pytest.mark.parametrize("ticket_state", [None, TicketState(3, None, 5_003)])
def test_a_patch_with_nothing_to_patch_is_poison(ticket_state: TicketState | None) -> None:
    with pytest.raises(PoisonEvent, match=r"^data: .*unknown or deleted"):
        advance(ticket_state, patch(4, status="done"))


@pytest.mark.parametrize(("member", "name"), [("status", "status"), ("created_at", "createdAt")])
def test_a_patch_that_removes_what_each_ticket_has_is_poison(member: str, name: str) -> None:
    with pytest.raises(PoisonEvent, match=f"^data.{name}: "):
        advance(after(whole(3)), TicketEvent("t", "1", 4, EventType.UPDATED, 5_004, Patch({member: None})))


def test_a_patch_changes_its_members_and_leaves_the_others() -> None:
    patched = ticket_after(whole(3), patch(4, assignee=None, status="done", tags=("new",)))
    assert patched == Ticket("done", 1_000, assignee=None, tags=("new",), fields=OPEN.fields)


def test_a_patch_merges_fields_level_by_level() -> None:
    patched = ticket_after(
        whole(3), patch(4, fields={"product": None, "at": {"zip": 2}, "new": {"a": None, "b": [None]}})
    )
    assert patched.fields == {"at": {"city": "Oslo", "zip": 2}, "new": {"b": [None]}}
    assert OPEN.fields == {"product": "P-1", "at": {"city": "Oslo", "zip": 1}}


def test_a_patch_empties_fields_by_null_and_not_by_an_empty_object() -> None:
    assert ticket_after(whole(3), patch(4, fields={})).fields == OPEN.fields
    assert ticket_after(whole(3), patch(4, fields=None)).fields == {}


def test_a_patch_that_skips_a_sequence_is_a_gap_and_a_whole_ticket_never_is() -> None:
    ticket_state = after(whole(3))
    gaps = [
        outcome.gap
        for event in (patch(4, status="done"), patch(5, status="done"), whole(5), delete(5))
        if isinstance(outcome := advance(ticket_state, event), Advanced)
    ]
    assert gaps == [False, True, False, False]


def test_closed_by_event_follows_the_last_applied_event() -> None:
    closing = patch(4, EventType.CLOSED, status="done")
    assert ticket_after(whole(3), closing).closed_by_event
    assert not ticket_after(whole(3), closing, patch(5, status="open")).closed_by_event
    assert advance(after(whole(3)), patch(3, EventType.CLOSED)) is Unchanged.CONFLICTING


@pytest.mark.parametrize(
    ("target", "change", "result"),
    [  # RFC 7396, appendix A, without the documents that aren't objects
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merging_gives_what_the_rfc_shows(
    target: dict[str, Any], change: dict[str, Any], result: dict[str, Any]
) -> None:
    assert merge_patch(target, change) == result


@given(json_objects, json_objects)
def test_merging_twice_is_merging_once(target: dict[str, Any], change: dict[str, Any]) -> None:
    once = merge_patch(target, change)
    assert merge_patch(once, change) == once
