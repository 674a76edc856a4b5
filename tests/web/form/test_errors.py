"""Every error of the form API: code and body, in both response types, and which one comes first."""

import json
from typing import Any

import httpx
import msgspec
import pytest

from tests.web.form.panel import CREDENTIALS, PATH, TENANT_ENTRY, Panel, a_panel, parsed

GOOD = {"identifier": "key", "secret": "s-key"}
NARROW = {"identifier": "narrow", "secret": "s-narrow"}
ELSEWHERE = {"identifier": "elsewhere", "secret": "s-elsewhere"}

ERRORS: list[tuple[dict[str, str], int, str]] = [
    ({"action": "GetTicketCounts"}, 403, "Authentication Failed"),
    (ELSEWHERE | {"action": "GetTicketCounts"}, 403, "Invalid IP 127.0.0.1"),
    (GOOD | {"action": "GetTickets"}, 200, 'Invalid API Action: "gettickets" is not a valid API action'),
    (GOOD | {"action": "<\"&'>"}, 200, 'Invalid API Action: "<"&\'>" is not a valid API action'),
    (GOOD, 200, 'Invalid API Action: "" is not a valid API action'),
    (
        NARROW | {"action": "GETTICKETCOUNTS"},
        403,
        'Invalid Permissions: API action "getticketcounts" is not allowed',
    ),
    (
        NARROW | {"action": "GetSupportDepartments"},
        403,
        'Invalid Permissions: API action "getsupportdepartments" is not allowed',
    ),
]


def check_error(answer: httpx.Response, action: str, status: int, message: str) -> None:
    assert answer.status_code == status
    if answer.headers["content-type"] == "application/json":
        assert answer.text == json.dumps({"result": "error", "message": message}, separators=(",", ":"))
    else:
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        said = [("action", action), ("result", "error"), ("message", message)]
        assert parsed(answer.content) == ("whmcsapi", said)


@pytest.mark.parametrize("responsetype", ["json", "xml", "XML", "", "nvp"])
@pytest.mark.parametrize(("fields", "status", "message"), ERRORS, ids=[message for *_, message in ERRORS])
async def test_each_error_in_each_response_type(
    panel: Panel, fields: dict[str, str], status: int, message: str, responsetype: str
) -> None:
    answer = await panel.client.post(PATH, data=fields | {"responsetype": responsetype})
    check_error(answer, fields.get("action", "").lower(), status, message)
    assert (answer.headers["content-type"] == "application/json") == (responsetype.lower() != "xml")


async def test_the_first_error_in_the_contracts_order_decides(panel: Panel) -> None:
    wrong = {"action": "no", "identifier": "elsewhere", "secret": "no"}
    said = []
    for mended in ({}, {"secret": "s-elsewhere"}, {"accesskey": "open"}, NARROW | {"action": "GetTicketCounts"}):
        wrong |= mended
        said.append((await panel.client.post(PATH, data=wrong)).json()["message"].partition(" ")[::2])
    assert [f"{first} {rest.partition(' ')[0]}" for first, rest in said] == [
        "Authentication Failed",
        "Invalid IP",
        "Invalid API",
        "Invalid Permissions:",
    ]


@pytest.mark.parametrize("allowed", [["getTICKETcounts"], ["x", "GetTicketCounts"], None])
async def test_allowed_actions_are_named_in_any_letter_case(panel: Panel, allowed: list[str] | None) -> None:
    narrow = next(entry for entry in CREDENTIALS if entry["value"]["identifier"] == "narrow")
    await panel.learn({"kind": "credential", "value": narrow["value"] | {"allowedActions": allowed}})
    assert (await panel.call(**NARROW)).status_code == 200


@pytest.mark.parametrize("responsetype", ["json", "xml"])
async def test_get_is_refused_with_a_reason_unless_a_setting_allows_it(panel: Panel, responsetype: str) -> None:
    asked = GOOD | {"action": "GetTicketCounts", "responsetype": responsetype}
    answer = await panel.client.get(PATH, params=asked)
    message = "Method Not Allowed: GET is off here, because secrets in a URL end up in logs; send the fields by POST"
    check_error(answer, "getticketcounts", 405, message)
    assert answer.headers["allow"] == "POST"
    willing = await a_panel(form_get=True)
    answer = await willing.client.get(PATH, params=GOOD | {"action": "GetTicketCounts"})
    assert answer.json() == (await willing.call()).json()
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("verb", ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
async def test_other_methods_are_refused_in_this_apis_shape(panel: Panel, verb: str) -> None:
    answer = await panel.client.request(verb, f"{PATH}?responsetype=xml")
    check_error(answer, "", 405, "Method Not Allowed")
    assert answer.headers["allow"] == "POST"
    willing = await a_panel(form_get=True)
    assert (await willing.client.request(verb, PATH)).headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("responsetype", ["json", "xml"])
async def test_a_store_that_is_away_is_said_without_a_word_about_it(panel: Panel, responsetype: str) -> None:
    panel.store.away = True
    answer = await panel.call(responsetype=responsetype)
    check_error(answer, "getticketcounts", 503, "Counts are unavailable for now")
    assert answer.headers["retry-after"] == "2"
    assert panel.logged()[-1]["refused"] == "COUNTS_UNAVAILABLE"


async def test_a_mistake_of_ours_is_said_without_a_word_about_it(panel: Panel) -> None:
    panel.store.broken = True
    check_error(await panel.call(), "getticketcounts", 500, "Something went wrong on our side")


async def test_columns_that_are_not_filled_yet_are_said_until_they_are(panel: Panel) -> None:
    stored = await panel.record("panel")
    bare = {name: number for name, number in stored.numbers.items() if number == 0}
    await panel.put_tenant(msgspec.structs.replace(stored, version=stored.version + 1, numbers=bare))
    answer = await panel.call()
    check_error(answer, "getticketcounts", 503, "These counts are still being filled")
    assert "retry-after" in answer.headers
    await panel.put_tenant(msgspec.structs.replace(stored, version=stored.version + 2))
    assert (await panel.call()).status_code == 200


@pytest.mark.parametrize("responsetype", ["json", "xml"])
async def test_a_body_that_is_too_large_is_refused(panel: Panel, responsetype: str) -> None:
    answer = await panel.client.post(f"{PATH}?responsetype={responsetype}", data=GOOD | {"padding": "x" * 1_048_577})
    check_error(answer, "", 413, "The body must not be over 1048576 bytes")


async def test_too_many_fields_are_refused(panel: Panel) -> None:
    fields: dict[str, Any] = GOOD | {f"f{n}": "" for n in range(1_000)}
    for answer in (
        await panel.client.post(PATH, data=fields),
        await panel.client.post(PATH, params=fields),
        await panel.client.post(PATH, files={name: (None, value) for name, value in fields.items()}),
    ):
        check_error(answer, "", 400, "There must not be over 1000 fields")


async def test_rates_are_kept_for_an_address_and_for_a_credential() -> None:
    panel = await a_panel(credential_requests_per_min=2)
    assert [(await panel.call()).status_code for _ in range(3)] == [200, 200, 429]
    assert (await panel.call(identifier="none", secret="s-none")).status_code == 200
    limited = await a_panel((TENANT_ENTRY, *CREDENTIALS), address_requests_per_min=2)
    for _ in range(2):
        assert (await limited.call()).status_code == 200
    answer = await limited.call()
    check_error(answer, "", 429, "Too many requests")
    assert int(answer.headers["retry-after"]) > 0
