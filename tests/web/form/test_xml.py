"""Answers as XML: the documented shape, by a real parser, whatever names and titles hold."""

import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.form.xml import element_name, xml_document
from tests.web.form.panel import PATH, TENANT_ENTRY, Panel, credential, parsed

NASTY = "<b>&amp;\"'</b> ]]> \t\r\n \x00\x0b\x1f\x7f\ud7ff \ufffe\uffff \U0001f600 <!-- --> <?x?>"


async def test_ticket_counts(panel: Panel) -> None:
    answer = await panel.call(responsetype="xml", includeCountsByStatus="1")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert answer.content.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    said = parsed(answer.content)
    assert said == (
        "whmcsapi",
        [
            ("action", "getticketcounts"), ("result", "success"),
            ("filteredDepartments", "1"), ("filteredDepartments", "3"),
            ("allActive", "4"), ("awaitingReply", "3"), ("flaggedTickets", "2"),
            ("status", [
                ("open", [("title", "Open"), ("count", "2")]),
                ("answered", [("title", "Answered"), ("count", "1")]),
                ("customerreply", [("title", "Customer-Reply"), ("count", "1")]),
                ("closed", [("title", "Closed"), ("count", "1")]),
                ("onhold", [("title", "On Hold"), ("count", "0")]),
                ("inprogress", [("title", "In Progress"), ("count", "1")]),
            ]),
        ],
    )  # fmt: skip


async def test_lists_of_statuses_and_departments_are_repeated_elements(panel: Panel) -> None:
    _, said = parsed((await panel.call("GetSupportStatuses", responsetype="xml")).content)
    statuses = dict(said)["statuses"]
    assert [name for name, _ in statuses] == ["status"] * 6
    assert statuses[0][1] == [("title", "Open"), ("count", "5"), ("color", "#779500")]
    answer = await panel.call("GetSupportDepartments", responsetype="xml", ignore_dept_assignments="1")
    _, said = parsed(answer.content)
    names = [dict(department)["name"] for _, department in dict(said)["departments"]]
    assert names == ["Sales", 'Billing <&" Co', "Support"]


async def test_no_title_breaks_the_document(panel: Panel) -> None:
    statuses = [
        {"id": "1", "name": NASTY, "active": True},
        {"id": "2", "name": "2nd Line"},
        {"id": "3", "name": "½ªº²𝒜 Ω"},
        {"id": "4", "name": "<>"},
    ]
    await panel.learn({"kind": "tenant", "value": TENANT_ENTRY["value"] | {"statuses": statuses}}, credential("key"))
    await panel.pipeline.backfill()
    await panel.pipeline.catch_up()
    answer = await panel.call("getticketcounts", responsetype="xml", includeCountsByStatus="1")
    by_name = dict(dict(parsed(answer.content)[1])["status"])
    assert list(by_name) == ["bampbx", "_2ndline", "_x00AA__x00BA__x00B2__x1D49C_ω", "_"]
    title = dict(by_name["bampbx"])["title"]
    assert title == NASTY.translate(dict.fromkeys(map(ord, "\x00\x0b\x1f\ufffe\uffff"), "\ufffd"))
    assert (await panel.call(includeCountsByStatus="1")).json()["status"]["bampbx"]["title"] == NASTY


async def test_an_action_with_what_xml_can_not_carry_is_told_back(panel: Panel) -> None:
    sent = "action=%01%3C%26%FF]]%3E&identifier=key&secret=s-key&responsetype=xml"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await panel.client.post(PATH, content=sent, headers=headers)
    assert parsed(answer.content)[1][0] == ("action", "\ufffd<&\ufffd]]>")


@given(st.text(max_size=40), st.text(st.characters(categories=["L", "N"]), max_size=8))
def test_any_text_and_any_key_come_through_a_parser(text: str, key: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    root = ET.fromstring(xml_document(text, {"list": [text, text], "map": {key: text}, "none": []}))
    found = root.findtext("action") or ""
    assert [child.tag for child in root] == ["action", "list", "list", "map"]
    assert len(found) == len(text)
    assert all(a == b or b == "\ufffd" for a, b in zip(text, found, strict=True))
    [element] = root.find("map") or []
    assert element.tag == element_name(key)


@pytest.mark.parametrize(
    ("key", "name"),
    [("open", "open"), ("2nd", "_2nd"), ("٣x", "_٣x"), ("", "_"), ("待機中", "待機中"), ("ª", "_x00AA_")],
)
def test_names_of_elements(key: str, name: str) -> None:
    assert element_name(key) == name


def test_every_letter_and_digit_of_unicode_can_stand_in_a_key() -> None:
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character)[0] == "L" and code % 61 == 0:
            ET.fromstring(xml_document("", {f"a{character}": 1, character: 2}))
