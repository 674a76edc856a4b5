"""The recount compared with the real incidents, and small examples. Never compares it with the product."""

import ast
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.instants import parse_instant
from tests.oracle.published import volvo
from tests.oracle.published.log import laid_out
from tests.oracle.recount import Forbidden, InvalidFilterIds, Recount, Viewer, recount

NOW = parse_instant("2026-11-21T10:15:00Z")
CREATED = "2026-11-21T08:00:00Z"
ADMIN = Viewer(frozenset({"ticket_admin"}), "boss")
ANN = Viewer(frozenset({"ticket_agent"}), "ann", frozenset({"network"}))
TENANT: dict[str, Any] = {
    "kind": "tenant",
    "value": {
        "id": "acme",
        "name": "Acme",
        "realm": "r",
        "statuses": [
            {"id": "new", "name": "New", "color": "#000", "closed": False, "active": True, "awaiting": True},
            {"id": "done", "name": "Done", "color": "#000", "closed": True, "active": False, "awaiting": False},
        ],
        "priorities": [{"id": "high", "name": "High", "color": "#000", "rank": 2}],
        "teams": [{"id": "network", "name": "Network"}],
    },
}


def ticket(name: str, **data: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/x",
        "type": "ticket.created",
        "subject": name,
        "tenantid": "acme",
        "sequence": 1,
        "data": {"status": "new", "createdAt": CREATED, **data},
    }


def saved(id_: str, where: object, kind: str = "filter", **rest: object) -> dict[str, Any]:
    return {"kind": kind, "value": {"id": id_, "tenant": "acme", "name": id_, "type": "custom", "where": where, **rest}}


@pytest.mark.skipif(not volvo.is_present(), reason=volvo.WHY_ABSENT)
@pytest.mark.timeout(120)
def test_every_row_of_the_real_incidents_agrees_after_every_prefix() -> None:
    oracle = Recount(volvo.catalogue())
    differences, rows, done = [], 0, 0
    for prefix in volvo.prefixes():
        oracle.feed(volvo.events()[done:prefix])
        done = prefix
        for row in (row for row in volvo.truth() if row.events == prefix):
            viewer = Viewer(frozenset({row.role}), row.user, row.teams)
            now_us = parse_instant(row.at)
            answer = oracle.counts(row.tenant, viewer, "template", list(row.counts), row.profile_id, now_us)
            summary = (answer["summary"]["totalOpen"], answer["summary"]["totalClosed"])
            rows += 1
            if answer["counts"] != row.counts or summary != (row.total_open, row.total_closed):
                differences.append((row, answer))
    assert differences == []
    assert (rows, len(volvo.prefixes()), done) == (474, 7, 65_533)
    assert oracle.dead_letters == []
    assert oracle.catalogue.refused == []


def test_the_oracle_imports_nothing_of_the_product() -> None:
    files = sorted(Path(__file__).parent.rglob("*.py"))
    assert len(files) > 15
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"service", "consumers", "deploy"}, file.name
            assert all(name.startswith("tests.oracle") for name in names if name.startswith("tests")), file.name


def test_an_unknown_tenant_is_a_dead_letter_and_a_removed_one_has_no_counts() -> None:
    elsewhere = {**ticket("1"), "tenantid": "Acme"}
    oracle = recount([TENANT], [ticket("1"), elsewhere])
    assert oracle.dead_letters == [(elsewhere, "unknown tenant")]
    assert all_of(oracle, ADMIN) == 1
    oracle.learn([{"kind": "tenant", "id": "acme", "value": None}])
    with pytest.raises(KeyError):
        all_of(oracle, ADMIN)


def all_of(oracle: Recount, viewer: Viewer, perspective: str = "template") -> int:
    return oracle.counts("acme", viewer, perspective, ["all"], None, NOW)["counts"]["all"]


def test_each_role_sees_its_scope_and_each_perspective_narrows_it() -> None:
    oracle = recount(
        [TENANT],
        [
            ticket("1", assignee="ann"),
            ticket("2", assignee="bob", team="network"),
            ticket("3", assignee="ann", team="network", requester="ann"),
            ticket("4", requester="ann"),
            ticket("5"),
        ],
    )
    agent, teamless, user, admin = (
        ANN,
        Viewer(frozenset({"ticket_agent"}), "ann"),
        Viewer(frozenset({"ticket_user"}), "ann", frozenset({"network"})),
        Viewer(frozenset({"ticket_user", "ticket_admin"}), "ann", frozenset({"network"})),
    )
    seen = {
        perspective: [all_of(oracle, viewer, perspective) for viewer in (agent, teamless, admin)]
        for perspective in ("template", "agent", "user")
    }
    assert seen == {"template": [3, 2, 5], "agent": [3, 2, 3], "user": [1, 1, 2]}
    assert all_of(oracle, user) == all_of(oracle, user, "user") == 2


def test_the_agents_perspective_and_no_known_role_are_forbidden() -> None:
    oracle = Recount([TENANT])
    with pytest.raises(Forbidden):
        all_of(oracle, Viewer(frozenset({"ticket_user"}), "ann"), "agent")
    with pytest.raises(Forbidden):
        all_of(oracle, Viewer(frozenset({"auditor"}), "ann"))


def test_an_unknown_status_is_closed_only_by_the_name_of_the_last_event_applied() -> None:
    odd = {**ticket("1", status="odd"), "type": "ticket.closed"}
    late = {**ticket("1", status="odd"), "type": "ticket.updated", "sequence": 0}
    named_closed = {**ticket("2", status="new"), "type": "ticket.closed"}
    answer = recount([TENANT], [odd, late, named_closed]).counts("acme", ADMIN, "template", ["all", "new"], None, NOW)
    assert answer["counts"] == {"all": 2, "new": 1}
    assert (answer["summary"]["totalOpen"], answer["summary"]["totalClosed"]) == (1, 1)


def test_the_summary_counts_breaches_and_due_dates_of_the_viewers_day() -> None:
    log = [
        ticket("flag, closed", status="done", slaBreached=True),
        ticket("late, closed", status="done", slaDueAt=CREATED, dueAt=CREATED),
        ticket("late", slaDueAt="2026-11-21T10:14:59.999999Z", dueAt="2026-11-21T10:14:59Z"),
        ticket("just now", slaDueAt="2026-11-21T10:15:00Z", dueAt="2026-11-21T10:15:00Z"),
        ticket("tomorrow in Kathmandu", dueAt="2026-11-21T18:15:00Z"),
    ]
    oracle = recount([TENANT], log)
    summary = oracle.counts("acme", ADMIN, "template", ["all"], None, NOW, "Asia/Kathmandu")["summary"]
    assert summary == {"totalOpen": 3, "totalClosed": 2, "slaBreached": 2, "dueToday": 2, "overdue": 1}
    in_london = oracle.counts("acme", ADMIN, "template", ["all"], None, NOW, "Europe/London")["summary"]
    assert in_london == {**summary, "dueToday": 3}


def test_a_profile_narrows_every_count_and_the_summary() -> None:
    mine = {"field": "assignee", "op": "eq", "value": "@me"}
    catalogue = [TENANT, saved("mine", mine, "profile"), saved("unassigned", {"field": "assignee", "op": "is_empty"})]
    oracle = recount(catalogue, [ticket("1", assignee="boss"), ticket("2", status="done")])
    answer = oracle.counts("acme", ADMIN, "template", ["all", "new", "done", "unassigned"], "mine", NOW)
    assert answer["counts"] == {"all": 1, "new": 1, "done": 0, "unassigned": 0}
    assert (answer["summary"]["totalOpen"], answer["summary"]["totalClosed"]) == (1, 0)


def test_invalid_ids_are_listed_in_order_with_the_profile_last() -> None:
    every = {"field": "status", "op": "is_not_empty"}
    catalogue = [
        TENANT,
        saved("bobs", every, owner="bob"),
        saved("shared", every, owner="bob", sharedWith={"teams": ["network"]}),
        saved("agents only", every, perspectives=["agent"]),
        saved("profile", every, "profile"),
    ]
    oracle = Recount(catalogue)
    with pytest.raises(InvalidFilterIds) as caught:
        oracle.counts("acme", ANN, "template", ["nope", "shared", "bobs", "profile", "agents only"], "bobs", NOW)
    assert caught.value.ids == ["nope", "bobs", "profile", "agents only", "bobs"]
    assert oracle.counts("acme", ANN, "agent", ["agents only"], "profile", NOW)["counts"] == {"agents only": 0}
    assert oracle.counts("acme", ADMIN, "template", ["bobs"], None, NOW)["counts"] == {"bobs": 0}


def test_all_then_a_status_then_a_priority_wins_where_ids_collide() -> None:
    nothing = {"field": "status", "op": "is_empty"}
    catalogue = [*(saved(id_, nothing) for id_ in ("all", "new", "high")), TENANT]
    answer = recount(catalogue, [ticket("1", priority="high")]).counts(
        "acme", ADMIN, "template", ["all", "new", "high"], None, NOW
    )
    assert answer["counts"] == {"all": 1, "new": 1, "high": 1}


def test_an_entry_that_does_not_compile_leaves_the_last_good_one_in_force() -> None:
    good, bad = {"field": "team", "op": "is_empty"}, {"field": "team", "op": "older_than", "value": "P1D"}
    oracle = recount([TENANT, saved("f", good), saved("f", bad)], [ticket("1")])
    assert oracle.counts("acme", ADMIN, "template", ["f"], None, NOW)["counts"] == {"f": 1}
    assert [reason for _, reason in oracle.catalogue.refused] == ["where.op: not an operator of team"]
    oracle.learn([(7, "filter/acme/f", None)])
    assert oracle.catalogue.filter_ids("acme", ADMIN, "template") == ["all", "new", "done", "high"]


def test_only_what_lies_below_the_positions_is_counted() -> None:
    log = laid_out([ticket(str(index)) for index in range(20)], 2)
    ends = {partition: sum(record.partition == partition for record in log) for partition in (0, 1)}
    assert all(ends.values())
    assert all_of(recount([TENANT], log, ends), ADMIN) == 20
    assert all_of(recount([TENANT], log, {0: ends[0]}), ADMIN) == ends[0]
    assert all_of(recount([TENANT], log, {0: 1, 1: 2}), ADMIN) == 3
    assert all_of(recount([TENANT], log, {0: 0}), ADMIN) == 0
