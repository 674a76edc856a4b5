"""Whose calls are answered: every form of credentials, and from which addresses."""

import hashlib
from typing import Any

import pytest

from service.web.auth.limits import address_of
from service.web.form.addresses import is_allowed
from tests.web.form.panel import (
    CREDENTIALS,
    PATH,
    TENANT,
    TENANT_ENTRY,
    Panel,
    a_panel,
    credential,
    md5,
    removal,
    sha256,
)

PASSWORD = md5("p-ada")
ASKED = {"action": "GetTicketCounts"}

FAILED = (403, {"result": "error", "message": "Authentication Failed"})

GOOD: list[dict[str, Any]] = [
    {"identifier": "key", "secret": "s-key"},
    {"username": "key", "password": "s-key"},
    {"username": "ada", "password": PASSWORD},
    {"username": "ada", "password": PASSWORD.upper()},
    {"USERNAME": "ada", "PassWord": PASSWORD},
    {"identifier": "key", "secret": "s-key", "accesskey": "whatever"},
    {"identifier": "key", "secret": "s-key", "username": "", "password": ""},
]

BAD: list[dict[str, Any]] = [
    {},
    {"identifier": "key"},
    {"secret": "s-key"},
    {"identifier": "key", "secret": ""},
    {"identifier": "key", "secret": "S-KEY"},
    {"identifier": "key", "secret": "s-none"},
    {"identifier": "KEY", "secret": "s-key"},
    {"identifier": "ke", "secret": "s-key"},
    {"identifier": "key", "secret": sha256("s-key")},
    {"identifier": "ada", "secret": PASSWORD},
    {"identifier": "key\0", "secret": "s-key"},
    {"identifier": "k" * 200, "secret": "s-key"},
    {"username": "ada", "password": "p-ada"},
    {"username": "ada", "password": sha256(PASSWORD)},
    {"username": "ada", "password": PASSWORD[1:]},
    {"username": "ADA", "password": PASSWORD},
    {"username": "a" * 2_000, "password": PASSWORD},
    {"username": "ada", "secret": "s-key"},
    {"identifier": "key", "password": "s-key"},
    {"identifier": "key", "secret": "s-key", "username": "ada", "password": PASSWORD},
    {"identifier": "key", "secret": "s-key", "username": "ada"},
    {"identifier": "key", "secret": "s-key", "password": PASSWORD},
    {"identifier": "orphan", "secret": "s-orphan"},
    {"accesskey": "open"},
]


@pytest.mark.parametrize("sent", GOOD, ids=str)
async def test_each_form_of_credentials_is_good(panel: Panel, sent: dict[str, Any]) -> None:
    answer = await panel.client.post(PATH, data=ASKED | sent)
    assert (answer.status_code, answer.json()["result"]) == (200, "success")


@pytest.mark.parametrize("sent", BAD, ids=lambda sent: str(sent)[:60])
async def test_everything_else_fails_alike(panel: Panel, sent: dict[str, Any]) -> None:
    answer = await panel.client.post(PATH, data=ASKED | sent)
    assert (answer.status_code, answer.json()) == FAILED


async def test_names_and_secrets_that_are_no_utf8_fail_or_fit_as_bytes(panel: Panel) -> None:
    secret = b"\xff\xfe&"
    await panel.learn(credential("bytes", secretSha256=hashlib.sha256(secret).hexdigest()))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = b"action=getticketcounts&identifier=%s&secret=%%ff%%FE%%26"
    assert (await panel.client.post(PATH, content=body % b"bytes", headers=headers)).status_code == 200
    for name in (b"%ff", b"\xff", b"bytes%00"):
        sent = await panel.client.post(PATH, content=body % name, headers=headers)
        assert (sent.status_code, sent.json()) == FAILED
    body = b"action=getticketcounts&username=%ff&password=" + PASSWORD.encode()
    assert (await panel.client.post(PATH, content=body, headers=headers)).status_code == 403


async def test_several_hashes_are_good_while_a_secret_is_being_changed(panel: Panel) -> None:
    await panel.learn(
        credential(
            "key",
            username="ada",
            secretSha256=[sha256("old"), sha256("new").upper()],
            passwordSha256=[sha256(md5("before")), sha256(md5("after").upper())],
        )
    )
    for secret in ("old", "new"):
        assert (await panel.call(identifier="key", secret=secret)).status_code == 200
    for password in (md5("before"), md5("after"), md5("after").upper()):
        assert (await panel.call(username="ada", password=password)).status_code == 200
    assert (await panel.call(identifier="key", secret="s-key")).status_code == 403


async def test_identifiers_come_before_admins_and_do_not_hide_them(panel: Panel) -> None:
    await panel.learn(credential("ada", username="somebody", admin_id="8"))
    as_identifier = (await panel.call(username="ada", password="s-ada")).json()
    as_admin = (await panel.call(username="ada", password=PASSWORD)).json()
    assert (as_identifier["flaggedTickets"], as_admin["flaggedTickets"]) == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "globex"},
        {"admin_id": "8"},
        {"admin_id": "8", "passwordSha256": None},
        {"tenant": "globex", "passwordSha256": sha256(md5("another"))},
        {},
    ],
    ids=["another tenant's", "another admin's", "without a password", "with another password", "the same admin's"],
)
async def test_an_admins_name_that_is_ambiguous_fails(panel: Panel, other: dict[str, Any]) -> None:
    await panel.learn(credential("second", username="ada", **other))
    answer = await panel.call(username="ada", password=PASSWORD)
    assert (answer.status_code, answer.json()) == FAILED
    assert (await panel.call()).status_code == 200, "its identifier is not"
    await panel.learn(removal("second"))
    assert (await panel.call(username="ada", password=PASSWORD)).status_code == 200


async def test_one_admins_credentials_are_told_apart_by_their_passwords(panel: Panel) -> None:
    await panel.learn(credential("second", username="ada", passwordSha256=None, allowedActions=[]))
    assert (await panel.call(username="ada", password=PASSWORD)).status_code == 200


async def test_a_removed_credential_is_refused_at_once(panel: Panel) -> None:
    assert (await panel.call()).status_code == 200
    await panel.learn(removal("key"))
    answer = await panel.call()
    assert (answer.status_code, answer.json()) == FAILED


ELSEWHERE = {"action": "GetTicketCounts", "identifier": "elsewhere", "secret": "s-elsewhere"}


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("192.0.2.7", None),
        ("192.0.3.7", "192.0.3.7"),
        ("2001:db8::1", None),
        ("2001:DB8:0::1", None),
        ("2001:db8::2", "2001:db8::2"),
        ("::ffff:192.0.2.7", None),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("/run/socket", "/run/socket"),
    ],
)
async def test_an_address_is_allowed_or_told(panel: Panel, address: str, shown: str | None) -> None:
    async with panel.from_address(address) as client:
        answer = await client.post(PATH, data=ELSEWHERE)
        if shown is None:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, answer.json()["message"]) == (403, f"Invalid IP {shown}")


@pytest.mark.parametrize(("key", "status"), [("open", 200), ("x", 200), ("OPEN", 403), ("", 403), ("shut", 403)])
async def test_an_access_key_lifts_the_addresses(panel: Panel, key: str, status: int) -> None:
    assert (await panel.client.post(PATH, data=ELSEWHERE | {"accesskey": key})).status_code == status


async def test_an_access_key_lifts_nothing_else(panel: Panel) -> None:
    bad_secret = await panel.client.post(PATH, data=ELSEWHERE | {"secret": "no", "accesskey": "open"})
    assert (bad_secret.status_code, bad_secret.json()) == FAILED
    await panel.learn(credential("both", allowedIps=[], allowedActions=[], accessKeySha256=sha256("open")))
    answer = await panel.call(identifier="both", secret="s-both", accesskey="open")
    assert answer.json()["message"] == 'Invalid Permissions: API action "getticketcounts" is not allowed'
    assert (await panel.call(identifier="both", secret="s-both")).json()["message"] == "Invalid IP 127.0.0.1"


def test_without_an_address_only_unlimited_credentials_are_good() -> None:
    assert address_of({"client": None}) == ""
    assert is_allowed("", None)
    assert not is_allowed("", ["0.0.0.0/0", "::/0"])
    assert not is_allowed("192.0.2.1", [])


async def test_no_secret_is_in_the_access_log() -> None:
    panel = await a_panel((TENANT_ENTRY, *CREDENTIALS), form_get=True)
    for sent in (
        {"identifier": "key", "secret": "s-key", "accesskey": "open"},
        {"username": "ada", "password": PASSWORD},
        {"username": "key", "password": "s-key"},
        {"identifier": "nobody", "secret": "s-key"},
        {"identifier": "key", "password": PASSWORD, "accesskey": "open"},
    ):
        await panel.client.post(PATH, data=ASKED | sent)
        await panel.client.post(PATH, params=ASKED | sent)
        await panel.client.get(PATH, params=ASKED | sent)
    written = "\n".join(panel.lines)
    for secret in ("s-key", PASSWORD, "open", sha256("s-key"), sha256(PASSWORD)):
        assert secret not in written
    first = panel.logged()[0]
    assert (first["path"], first["tenant"], first["user"], first["status"]) == (PATH, TENANT, "7", 200)
