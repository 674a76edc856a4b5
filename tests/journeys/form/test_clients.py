"""Third-party clients of the form API work as they are, and get what an independent recount says."""

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.journeys.form.panel_service import ACCESS_KEY, PASSWORD, PanelService
from tests.journeys.form.third_party import run_node, run_php, run_python
from tests.oracle.panel import support_departments, support_statuses, ticket_counts
from tests.web.form.panel import TENANT

TEAMS = ["sales", "tech"]

# Fetching what isn't in the user's cache yet takes longer than any test.
pytestmark = pytest.mark.timeout(240)


async def by_node(script: str, service: PanelService, call: dict[str, Any]) -> Any:
    printed = await asyncio.to_thread(run_node, script, {"API_URL": service.url, "CALL": json.dumps(call)})
    return json.loads(printed)


def counts(service: PanelService, *, ignoring: bool = False, by_status: bool = False) -> dict[str, Any]:
    """Of the admin `ada`, by the recount."""
    expected = ticket_counts(service.oracle, TENANT, TEAMS, "7", ignoring=ignoring, by_status=by_status)
    assert 0 < expected["flaggedTickets"] < expected["awaitingReply"] < expected["allActive"]
    return expected


@pytest.mark.parametrize(
    "credentials",
    [
        {"identifier": "key", "secret": "s-key"},
        pytest.param({"username": "ada", "password": PASSWORD}, marks=pytest.mark.exhaustive),
        pytest.param({"username": "key", "password": "s-key"}, marks=pytest.mark.exhaustive),
    ],
    ids=["identifier", "admin", "identifier as username"],
)
async def test_whmcs_js(panel_service: PanelService, credentials: dict[str, str]) -> None:
    async def called(method: str, **options: Any) -> Any:
        call = {"credentials": credentials, "method": method, "options": options}
        return await by_node("whmcs_js.js", panel_service, call)

    assert await called("getTicketCounts") == counts(panel_service)
    for ignoring in (False, True):
        asked = {"ignoreDepartmentAssignments": ignoring, "includeCountsByStatus": True}
        assert await called("getTicketCounts", **asked) == counts(panel_service, ignoring=ignoring, by_status=True)
    oracle = panel_service.oracle
    assert await called("getSupportStatuses", deptid=3) == support_statuses(oracle, TENANT, 3)
    departments = support_departments(oracle, TENANT, TEAMS, ignoring=True)
    assert await called("getSupportDepartments", ignore_dept_assignments=True) == departments


async def test_whmcs_js_with_a_wrong_secret(panel_service: PanelService) -> None:
    call = {"credentials": {"identifier": "key", "secret": "no"}, "method": "getTicketCounts", "options": {}}
    answer = await by_node("whmcs_js.js", panel_service, call)
    assert answer == {"result": "error", "message": "Authentication Failed"}


async def test_whmcs(panel_service: PanelService) -> None:
    body = {"action": "getticketcounts", "includeCountsByStatus": True}
    config = {"username": "ada", "password": PASSWORD}
    call = {"config": config, "body": body}
    assert await by_node("whmcs.js", panel_service, call) == counts(panel_service, by_status=True)
    elsewhere = {"username": "elsewhere", "password": "s-elsewhere"}
    refused = await by_node("whmcs.js", panel_service, {"config": elsewhere, "body": body})
    assert refused == {"error": "WHMCS Error (403): Invalid IP 127.0.0.1"}
    lifted = {"config": elsewhere | {"apiKey": ACCESS_KEY}, "body": body}
    assert await by_node("whmcs.js", panel_service, lifted) == counts(panel_service, by_status=True)


async def test_whmcs_api_by_get_where_a_setting_allows_it(willing_service: PanelService) -> None:
    parameters = {"includeCountsByStatus": True, "ignoreDepartmentAssignments": 1}
    for config in ({"identifier": "key", "secret": "s-key"}, {"username": "ada", "password": PASSWORD}):
        call = {"config": config, "action": "GetTicketCounts", "parameters": parameters}
        answer = await by_node("whmcs_api.js", willing_service, call)
        assert answer == counts(willing_service, ignoring=True, by_status=True)


async def test_whmcs_api_is_told_why_get_is_off(panel_service: PanelService) -> None:
    config = {"identifier": "key", "secret": "s-key"}
    call = {"config": config, "action": "GetTicketCounts", "parameters": {}}
    answer = await by_node("whmcs_api.js", panel_service, call)
    assert answer["error"].startswith("Method Not Allowed: GET is off here")


async def test_whmcspy(panel_service: PanelService) -> None:
    for ignoring in (False, True):
        parameters = {"ignoreDepartmentAssignments": ignoring, "includeCountsByStatus": not ignoring}
        call = {"identifier": "key", "secret": "s-key", "action": "GetTicketCounts", "parameters": parameters}
        environ = {"API_URL": panel_service.url, "CALL": json.dumps(call)}
        answer = json.loads(await asyncio.to_thread(run_python, "whmcspy_call.py", environ))
        assert answer == counts(panel_service, ignoring=ignoring, by_status=not ignoring)


RECORDED = (
    b"POST /includes/api.php HTTP/1.1\r\nHost: HOST\r\nUser-Agent: python-requests/2.34.2\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 129\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    b"identifier=key&secret=s-key&action=GetTicketCounts&responsetype=json&"
    b"ignoreDepartmentAssignments=False&includeCountsByStatus=True"
)
"""What whmcspy sends for `call("GetTicketCounts", ignoreDepartmentAssignments=False, includeCountsByStatus=True)`.

But for `Connection`: with `keep-alive`, as it says, the answer would not end with the connection.
"""


async def test_the_bytes_of_whmcspy(panel_service: PanelService) -> None:
    url = httpx.URL(panel_service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(RECORDED.replace(b"HOST", url.netloc))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == counts(panel_service, by_status=True)


async def test_a_multipart_request_of_phps_curl(panel_service: PanelService) -> None:
    fields = {"action": "GetTicketCounts", "identifier": "key", "secret": "s-key", "includeCountsByStatus": "1"}
    environ = {"API_URL": panel_service.url, "API_FIELDS": json.dumps(fields)}
    answer = json.loads(await asyncio.to_thread(run_php, "multipart.php", environ))
    assert answer == counts(panel_service, by_status=True)


async def test_a_multipart_request(panel_service: PanelService) -> None:
    fields = {"Action": "GetTicketCounts", "username": "ada", "password": PASSWORD, "includecountsbystatus": "YES"}
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        sent = await client.post(panel_service.url, files={name: (None, text) for name, text in fields.items()})
        assert sent.json() == counts(panel_service, by_status=True)
        # Merged with the query, where the body wins.
        query = urlencode({"includeCountsByStatus": "1", "action": "nonsense", "responsetype": "json"})
        both = await client.post(f"{panel_service.url}?{query}", data={**fields, "includeCountsByStatus": "0"})
        assert both.json() == counts(panel_service)
