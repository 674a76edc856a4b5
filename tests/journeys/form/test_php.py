"""The documented request, by real PHP and its curl, through Kafka and back: the counts of an independent recount."""

import asyncio
import json
from collections.abc import Collection
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.journeys.form.panel_service import CATALOGUE, PASSWORD, many_events, no_secrets_in
from tests.journeys.form.third_party import run_php
from tests.journeys.programs.asking import realm
from tests.journeys.programs.system import System
from tests.oracle.panel import ticket_counts
from tests.oracle.recount import Recount
from tests.web.form.panel import PATH, TENANT, credential

NIGHT = credential("night", teams=["tech-night"], admin_id="8")

ADMINS: list[tuple[str, str, Collection[str], str]] = [
    ("ada", PASSWORD, ["sales", "tech"], "7"),
    ("key", "s-key", ["sales", "tech"], "7"),
    ("none", "s-none", [], "9"),
    ("night", "s-night", ["tech-night"], "8"),
]
"""Name, password, teams and admin's id, as the panel's credentials have them."""

pytestmark = pytest.mark.timeout(120)


async def test_the_documented_request_has_the_counts_of_a_recount(system: System) -> None:
    log = many_events(300)
    await system.publish_all([realm("helpdesk"), *CATALOGUE, with_realm(CATALOGUE[0]), NIGHT, *log])
    await system.settled(TENANT)
    oracle = Recount([*CATALOGUE, NIGHT])
    oracle.feed(log)
    for username, password, teams, admin in ADMINS:
        for ignoring in (False, True):
            for by_status in (False, True):
                head, body = await asked(system, username, password, ignoring=ignoring, by_status=by_status)
                expected = ticket_counts(oracle, TENANT, teams, admin, ignoring=ignoring, by_status=by_status)
                assert (head, json.loads(body)) == ("200 application/json", expected)
                assert list(json.loads(body)) == list(expected), "in the documented order"
                assert bool(teams or ignoring) == (expected["allActive"] > expected["flaggedTickets"] > 0)
    head, body = await asked(system, "ada", PASSWORD, responsetype="xml")
    assert head == "200 application/xml; charset=utf-8"
    root = ET.fromstring(body)
    whole = ticket_counts(oracle, TENANT, ["sales", "tech"], "7")
    assert [(each.tag, each.text) for each in root][-3:] == [
        (name, str(whole[name])) for name in ("allActive", "awaitingReply", "flaggedTickets")
    ]
    head, body = await asked(system, "ada", "wrong")
    assert (head, json.loads(body)["message"]) == ("403 application/json", "Authentication Failed")
    for program in (*system.consumers, system.service):
        assert program is not None
        no_secrets_in(program.log.read_text())


async def asked(
    system: System, username: str, password: str, *, ignoring: bool = False, by_status: bool = False, **more: str
) -> tuple[str, str]:
    """The line with status and type, and the body."""
    assert system.service is not None
    environ = {
        "API_URL": f"{system.service.address}{PATH}",
        "API_USERNAME": username,
        "API_PASSWORD": password,
        "IGNORE": "yes" if ignoring else "no",
        "BY_STATUS": "yes" if by_status else "no",
        "RESPONSETYPE": more.get("responsetype", "json"),
    }
    head, _, body = (await asyncio.to_thread(run_php, "seed.php", environ)).partition("\n")
    return head, body


def with_realm(entry: dict[str, Any]) -> dict[str, Any]:
    """The panel's tenant, in the realm whose tokens the tests have."""
    return {**entry, "value": entry["value"] | {"realm": "helpdesk"}}
