"""GetTicketCounts: what it counts, for whom, and the shape of the answer."""

import json
from typing import Any

import pytest

from service.web.form.actions import status_key
from tests.oracle.panel import ticket_counts
from tests.web.form.panel import TENANT, TENANT_ENTRY, Panel, a_panel, credential, event


async def test_the_answer_has_the_documented_shape(panel: Panel) -> None:
    answer = await panel.call(ignoreDepartmentAssignments="false", includeCountsByStatus="true")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    expected = {
        "result": "success",
        "filteredDepartments": [1, 3],
        "allActive": 4,
        "awaitingReply": 3,
        "flaggedTickets": 2,
        "status": {
            "open": {"title": "Open", "count": 2},
            "answered": {"title": "Answered", "count": 1},
            "customerreply": {"title": "Customer-Reply", "count": 1},
            "closed": {"title": "Closed", "count": 1},
            "onhold": {"title": "On Hold", "count": 0},
            "inprogress": {"title": "In Progress", "count": 1},
        },
    }
    assert answer.text == json.dumps(expected, separators=(",", ":"))


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("by_status", [False, True])
@pytest.mark.parametrize(("who", "teams", "admin"), [("key", ["sales", "tech"], "7"), ("none", [], "9")])
async def test_every_count_is_the_recounts(
    panel: Panel, who: str, teams: list[str], admin: str, ignoring: bool, by_status: bool
) -> None:
    fields = {"ignoreDepartmentAssignments": ignoring, "includeCountsByStatus": by_status}
    answer = await panel.call(identifier=who, secret=f"s-{who}", **{name: str(on) for name, on in fields.items()})
    expected = ticket_counts(panel.oracle, TENANT, teams, admin, ignoring=ignoring, by_status=by_status)
    assert answer.json() == expected
    assert ("status" in answer.json()) == by_status
    assert expected["allActive"] == (8 if ignoring else 4 if teams else 0)


async def test_a_department_of_several_teams_is_counted_whole(panel: Panel) -> None:
    await panel.learn(credential("night", teams=["tech-night"], admin_id="8"))
    answer = (await panel.call(identifier="night", secret="s-night")).json()
    assert answer == {
        "result": "success", "filteredDepartments": [3], "allActive": 3, "awaitingReply": 2, "flaggedTickets": 1,
    }  # fmt: skip


async def test_an_admin_whose_number_was_published_as_a_number_has_flagged_tickets(panel: Panel) -> None:
    await panel.learn(credential("number", admin_id=7))
    assert (await panel.call(identifier="number", secret="s-number")).json()["flaggedTickets"] == 2


async def test_statuses_whose_keys_meet_are_one_entry() -> None:
    statuses = [
        {"id": "a", "name": "On Hold", "active": True},
        {"id": "b", "name": "2. Línea / Ürün 返信!"},
        {"id": "c", "name": "on-hold"},
        {"id": "d", "name": "???"},
    ]
    entry = {"kind": "tenant", "value": TENANT_ENTRY["value"] | {"statuses": statuses}}
    panel = await a_panel((entry, credential("key")), [event(f"T-{n}", s, "tech") for n, s in enumerate("aabccc")])
    assert (await panel.call(includeCountsByStatus="1")).json()["status"] == {
        "onhold": {"title": "On Hold", "count": 5},
        "2líneaürün返信": {"title": "2. Línea / Ürün 返信!", "count": 1},
        "": {"title": "???", "count": 0},
    }


async def test_a_status_whose_id_all_has_taken_is_counted_like_the_others() -> None:
    statuses = [{"id": "all", "name": "All in", "active": True, "awaiting": True}, {"id": "x", "name": "Out"}]
    entry = {"kind": "tenant", "value": TENANT_ENTRY["value"] | {"statuses": statuses}}
    log = [event("T-1", "all", "tech", "7"), event("T-2", "x", "tech", "7"), event("T-3", "x", "tech", "7")]
    panel = await a_panel((entry, credential("key")), log)
    answer = (await panel.call(includeCountsByStatus="1")).json()
    assert answer == ticket_counts(panel.oracle, TENANT, ["sales", "tech"], "7", by_status=True)
    assert (answer["allActive"], answer["flaggedTickets"]) == (1, 1)


async def test_a_tenant_that_is_still_being_loaded_is_counted_as_it_is(panel: Panel) -> None:
    await panel.learn({"kind": "tenant", "value": TENANT_ENTRY["value"] | {"loading": True}})
    assert (await panel.call()).json()["allActive"] == 4


async def test_the_headers_say_what_the_numbers_equal() -> None:
    headers = (await (await a_panel(expose_positions=True)).call()).headers
    assert headers["x-counts-position"] == "0:11"
    assert headers["x-counts-catalogue"] == "0"
    assert "." in headers["x-counts-version"]


async def test_each_answer_is_one_read_and_follows_the_catalogue(panel: Panel) -> None:
    await panel.call()
    panel.store.reads.clear()
    await panel.call(includeCountsByStatus="1")
    assert panel.store.reads == ["snapshot"]
    teams = [{"id": "tech", "name": "Tech", "departmentId": 8}]
    await panel.learn({"kind": "tenant", "value": TENANT_ENTRY["value"] | {"teams": teams}})
    assert (await panel.call()).json()["filteredDepartments"] == [8]


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Open", "open"), ("Customer-Reply", "customerreply"), ("In_Progress 2", "inprogress2"), ("İş", "iş"),
        ("待機中", "待機中"), ("--", ""),
    ],
)  # fmt: skip
def test_the_key_of_a_status_is_its_title_without_what_is_no_letter_or_digit(title: str, key: str) -> None:
    assert status_key(title) == key


@pytest.mark.parametrize("sent", ["1", "true", "TRUE", "True", "on", "On", "yes", "YES"])
async def test_what_says_yes(panel: Panel, sent: str) -> None:
    assert "status" in (await panel.call(INCLUDECOUNTSBYSTATUS=sent)).json()


@pytest.mark.parametrize("sent", ["0", "false", "False", "off", "no", "", "2", "y", "truthy", " 1", "null"])
async def test_everything_else_says_no(panel: Panel, sent: Any) -> None:
    assert "status" not in (await panel.call(includeCountsByStatus=sent)).json()
