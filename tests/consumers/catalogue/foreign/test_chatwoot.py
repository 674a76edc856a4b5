"""Chatwoot's filters: each clause as a node of ours, how a chain is bracketed, and what has no equivalent."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.catalogue.foreign.chatwoot import filters
from consumers.catalogue.foreign.importing import Imported, Options, imported
from consumers.catalogue.foreign.name_map import NameMap, Target
from service.domain.conditions.where import parse_where
from tests.oracle import conditions as oracle
from tests.oracle.tickets import Ticket
from tests.support.examples import examples

NAMES = NameMap(
    fields={"inbox_id": "fields.inbox", "seats": Target("fields.seats", "number"), "mail_subject": "fields.subject"}
)


def leaf(field: str, op: str, *value: object) -> dict[str, Any]:
    return {"field": field, "op": op} | ({"value": value[0]} if value else {})


def clause(key: str, operator: str, values: object = None, joined: str | None = None, **more: Any) -> dict[str, Any]:
    return {"attribute_key": key, "filter_operator": operator, "values": values, "query_operator": joined, **more}


def saved(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 3, "name": "Mine", "filter_type": "conversation", "query": {"payload": clauses}, **more}


def text_of(*filters_: dict[str, Any]) -> bytes:
    return json.dumps(filters_).encode()


def read(*filters_: dict[str, Any], names: NameMap = NAMES, owner: str | None = None) -> Imported:
    return imported("chatwoot", "filters.json", text_of(*filters_), Options("acme", owner, names))


def where_of(*clauses: dict[str, Any], names: NameMap = NAMES) -> Any:
    """What becomes of a chain, counted today or not."""
    (found,) = filters("filters.json", text_of(saved(*clauses)), names, None)
    assert not found.problems
    assert found.value is not None
    parse_where(found.value["where"])
    return found.value["where"]


def set_and(node: dict[str, Any]) -> dict[str, Any]:
    return {"all": [leaf(node["field"], "is_not_empty"), node]}


@pytest.mark.parametrize(
    ("key", "operator", "values", "node"),
    [
        ("status", "equal_to", ["open"], leaf("status", "eq", "open")),
        ("status", "not_equal_to", ["open", "pending"], leaf("status", "nin", ["open", "pending"])),
        ("status", "equal_to", ["all"], leaf("state", "is_not_empty")),
        ("status", "not_equal_to", ["all"], {"not": leaf("state", "is_not_empty")}),
        ("priority", "equal_to", ["urgent", "high"], leaf("priority", "in", ["urgent", "high"])),
        ("priority", "not_equal_to", ["low"], set_and(leaf("priority", "ne", "low"))),
        ("assignee_id", "equal_to", [{"id": 7, "name": "Ann"}], leaf("assignee", "eq", "7")),
        ("assignee_id", "equal_to", {"id": 7, "name": "Ann"}, leaf("assignee", "eq", "7")),
        ("assignee_id", "not_equal_to", [7], set_and(leaf("assignee", "ne", "7"))),
        ("assignee_id", "is_not_present", [], leaf("assignee", "is_empty")),
        ("team_id", "equal_to", [1, 2], leaf("team", "in", ["1", "2"])),
        ("team_id", "is_present", None, leaf("team", "is_not_empty")),
        ("labels", "equal_to", ["vip", "late"], leaf("tags", "contains_any", ["vip", "late"])),
        ("labels", "not_equal_to", ["vip"], leaf("tags", "contains_none", ["vip"])),
        ("labels", "is_not_present", [], leaf("tags", "is_empty")),
        ("created_at", "is_greater_than", ["2026-11-21"], leaf("createdAt", "ge", "2026-11-22T00:00:00Z")),
        ("created_at", "is_less_than", "2026-11-21", leaf("createdAt", "before", "2026-11-21T00:00:00Z")),
        ("last_activity_at", "days_before", [3], leaf("updatedAt", "older_than", "P3D")),
        ("inbox_id", "equal_to", [9], leaf("fields.inbox", "eq", "9")),
        ("inbox_id", "not_equal_to", [9], set_and(leaf("fields.inbox", "ne", "9"))),
        ("mail_subject", "contains", ["out of"], leaf("fields.subject", "contains", "out of")),
        ("mail_subject", "does_not_contain", ["out"], set_and(leaf("fields.subject", "not_contains", "out"))),
        ("plan", "equal_to", ["pro"], leaf("fields.plan", "eq", "pro")),
        ("plan", "not_equal_to", ["pro", "free"], leaf("fields.plan", "ne", "pro")),
        ("trial", "equal_to", [True], leaf("fields.trial", "is_true")),
        ("trial", "equal_to", [False], leaf("fields.trial", "is_false")),
        ("trial", "not_equal_to", [False], {"not": leaf("fields.trial", "is_false")}),
        ("seats", "is_greater_than", ["12"], leaf("fields.seats", "gt", 12)),
        ("size", "equal_to", [4], leaf("fields.size", "eq", 4)),
        ("plan", "is_present", [], leaf("fields.plan", "is_not_empty")),
    ],
)
def test_a_clause_becomes_a_node(key: str, operator: str, values: object, node: dict[str, Any]) -> None:
    assert where_of(clause(key, operator, values)) == node


def test_a_day_of_another_zone_begins_there() -> None:
    given_there = clause("created_at", "is_less_than", ["2026-11-21"], timezone="Asia/Kathmandu")
    assert where_of(given_there) == leaf("createdAt", "before", "2026-11-20T18:15:00Z")


@pytest.mark.parametrize(
    ("key", "operator", "values", "problem"),
    [
        ("display_id", "equal_to", ["7"], "no field of ours for display_id"),
        ("labels", "contains", ["vip"], "filter_operator: contains has no equivalent"),
        ("status", "is_present", None, "filter_operator: is_present has no equivalent"),
        ("status", "equal_to", [], "values: missing"),
        ("mail_subject", "contains", ["50%"], "values: Chatwoot reads %, _ and \\ as wildcards"),
        ("created_at", "is_greater_than", ["yesterday"], "values: 'yesterday' is no date"),
        ("created_at", "is_greater_than", ["9999-12-31"], "values: 9999-12-31 is out of range"),
        ("created_at", "days_before", ["-3"], "values: '-3' is no number of days"),
        ("plan", "is_greater_than", ["a"], "greater_than doesn't apply to text"),
    ],
)
def test_what_has_no_equal_is_told_with_its_path(key: str, operator: str, values: object, problem: str) -> None:
    result = read(saved(clause("status", "equal_to", ["open"], "and"), clause(key, operator, values)))
    assert (result.lines, result.left_out) == ((), 1)
    assert result.messages[0].startswith(f'chatwoot filter 3 "Mine": query.payload[1]: {problem}')


def test_filters_of_contacts_and_attributes_of_theirs_have_no_equal() -> None:
    contact = clause("city", "equal_to", ["Pune"], custom_attribute_type="contact_attribute")
    result = read(saved(clause("status", "equal_to", ["open"]), filter_type="contact"), saved(contact), saved())
    assert [message.split(": ", 1)[1] for message in result.messages] == [
        "filter_type: contact has no equivalent",
        'query.payload[0]: city belongs to the contact; name a field of ours under "fields" in the --map file',
        "query.payload: it is empty",
    ]
    assert result.left_out == 3


def test_a_filter_becomes_an_entry_with_its_owner_and_what_to_know_of_it() -> None:
    result = read(saved(clause("plan", "equal_to", ["Pro"])), owner="ann")
    (line,) = result.lines
    assert json.loads(line)["value"] == {
        "id": "chatwoot-3",
        "tenant": "acme",
        "name": "Mine",
        "type": "custom",
        "where": leaf("fields.plan", "eq", "Pro"),
        "owner": "ann",
    }
    assert result.messages == ('chatwoot filter 3 "Mine": note: plan: letter case matters here, but not in Chatwoot',)
    assert result.left_out == 0


A, B, C = (leaf("tags", "contains_any", [name]) for name in "abc")


def labels(text: str) -> list[dict[str, Any]]:
    """`a and b or c` as clauses on labels."""
    words = text.split()
    return [
        clause("labels", "equal_to", [name], words[place * 2 + 1] if place * 2 + 1 < len(words) else None)
        for place, name in enumerate(words[::2])
    ]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a and b or c", {"any": [{"all": [A, B]}, C]}),
        ("a or b and c", {"any": [A, {"all": [B, C]}]}),
        ("a or b or c", {"any": [A, B, C]}),
        ("a AND b", {"all": [A, B]}),
    ],
)
def test_and_binds_tighter_than_or(text: str, where: dict[str, Any]) -> None:
    assert where_of(*labels(text)) == where


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(("and", "or"))), min_size=1, max_size=8),
    st.sets(st.sampled_from("abcd")),
)
def test_a_chain_means_what_sql_makes_of_it(chain: list[tuple[str, str]], tags: set[str]) -> None:
    text = " ".join(word for pair in chain for word in pair).rsplit(" ", 1)[0]
    # AND groups by hand: the chain holds when some run of ANDs holds throughout.
    runs, run = [], [chain[0][0] in tags]
    for (_, joined), (following, _) in pairwise(chain):
        if joined == "or":
            runs.append(run)
            run = []
        run.append(following in tags)
    meant = any(all(one) for one in [*runs, run])
    where = json.loads(read(saved(*labels(text))).lines[0])["value"]["where"]
    context = oracle.ConditionContext({"statuses": [], "priorities": []}, "me", frozenset(), 0, "UTC")
    assert oracle.holds(where, Ticket(1, "ticket.updated", {"tags": sorted(tags)}), context) is meant


SUPPORTED = st.one_of(
    st.builds(
        clause,
        st.just("status"),
        st.sampled_from(("equal_to", "not_equal_to")),
        st.lists(st.sampled_from(("open", "resolved", "pending", "snoozed", "all")), min_size=1),
    ),
    st.builds(
        clause,
        st.sampled_from(("assignee_id", "team_id", "priority", "inbox_id")),
        st.sampled_from(("equal_to", "not_equal_to", "is_present", "is_not_present")),
        st.lists(st.integers(1, 10**9) | st.builds(lambda id_: {"id": id_, "name": "x"}, st.integers()), min_size=1),
    ),
    st.builds(
        clause,
        st.just("labels"),
        st.sampled_from(("equal_to", "not_equal_to", "is_present", "is_not_present")),
        st.lists(st.text(min_size=1).filter(lambda text: text[0] != "@"), min_size=1),
    ),
    st.builds(
        clause,
        st.sampled_from(("created_at", "last_activity_at")),
        st.sampled_from(("is_greater_than", "is_less_than")),
        st.dates().filter(lambda day: 1 < day.year < 9999).map(lambda day: [day.isoformat()]),
        timezone=st.sampled_from(("UTC", "America/Havana", "Pacific/Apia")),
    ),
    st.builds(
        clause,
        st.sampled_from(("created_at", "last_activity_at")),
        st.just("days_before"),
        st.integers(0, 3_649_999).map(lambda days: [days]),
    ),
    st.builds(
        clause,
        st.just("plan"),
        st.sampled_from(("equal_to", "not_equal_to", "contains", "does_not_contain")),
        st.lists(st.text().filter(lambda text: not set(text) & set("%_\\@")), min_size=1, max_size=2),
    ),
)


@pytest.mark.parametrize("word", ["@me", "@my_teams", "@now-P1D"])
def test_text_that_means_more_here_has_no_equal(word: str) -> None:
    for one in (clause("labels", "equal_to", [word]), clause("assignee_id", "equal_to", [{"id": word}])):
        result = read(saved(one))
        assert (result.lines, result.left_out) == ((), 1)
        assert f"{word} is not a plain text here" in result.messages[0]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(SUPPORTED, st.sampled_from(("and", "or", "AND", None))), min_size=1, max_size=12))
def test_what_is_supported_always_compiles(chain: list[tuple[dict[str, Any], str | None]]) -> None:
    where_of(*(one | {"query_operator": joined} for one, joined in chain))
