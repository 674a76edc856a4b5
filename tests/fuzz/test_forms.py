"""Calls of the form API of every shape: each is answered in its own form, and what is ignored changes nothing."""

import asyncio
import json
from collections.abc import Iterator
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import httpx
import pytest
from hypothesis import strategies as st

from service.web.form.multipart import boundary_of, multipart_fields
from tests.fuzz.damage import damaged
from tests.fuzz.rounds import fuzz, within_its_time
from tests.web.form.panel import PATH, Panel, a_panel

pytestmark = [within_its_time, pytest.mark.usefixtures("silent")]

CALL = {"action": "GetTicketCounts", "identifier": "key", "secret": "s-key"}
KNOWN = {
    *("action", "identifier", "secret", "username", "password", "accesskey", "responsetype"),
    *("deptid", "ignore_dept_assignments", "ignoredepartmentassignments", "includecountsbystatus"),
}
URLENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "--b0undary"

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
WORDS = st.sampled_from(
    ("", "1", "yes", "xml", "json", "XML", "GetTicketCounts", "getsupportdepartments", "key", "s-key", "ada", "9" * 40)
)
NAMES = st.sampled_from(sorted(KNOWN)).map(lambda name: name.title()) | TEXTS
FIELDS = st.lists(st.tuples(NAMES, WORDS | TEXTS), max_size=6)
ANSWERS = {200, 400, 403, 405, 413, 415}
"""429 is off here, and nothing is ever 500."""


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture
def panel(runner: asyncio.Runner) -> Iterator[Panel]:
    made = runner.run(
        a_panel(form_failures_per_min=0, address_requests_per_min=0, credential_requests_per_min=0, access_log=False)
    )
    yield made
    runner.run(made.client.aclose())


def multipart(fields: list[tuple[str, str]]) -> bytes:
    """As a browser writes it."""
    parts = []
    for name, value in fields:
        quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{quoted}"\r\n\r\n{value}\r\n'.encode())
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def called(panel: Panel, body: bytes, content_type: str, query: bytes = b"") -> httpx.Response:
    url = httpx.URL("http://counts", raw_path=PATH.encode() + (b"?" + query if query else b""))
    return await panel.client.post(url, content=body, headers={"content-type": content_type})


def well_formed(answer: httpx.Response) -> None:
    assert answer.status_code in ANSWERS, answer.text
    kind = answer.headers["content-type"]
    if kind.startswith("application/xml"):
        root = ET.fromstring(answer.content)
        assert root.tag == "whmcsapi"
        result = root.findtext("result")
    else:
        assert kind.startswith("application/json")
        result = json.loads(answer.content)["result"]
    assert result in ("success", "error")


def test_damaged_bodies_and_queries_are_answered(panel: Panel, runner: asyncio.Runner) -> None:
    whole = multipart([*CALL.items(), ("responsetype", "xml")])

    async def call(body: bytes, content_type: str, query: bytes) -> None:
        well_formed(await called(panel, body, content_type, query))

    bodies = damaged(st.sampled_from((urlencode(CALL).encode(), whole))) | st.binary(max_size=40)
    types = st.sampled_from(
        (URLENCODED, f"multipart/form-data; boundary={BOUNDARY}", f'multipart/form-data; boundary="{BOUNDARY}"',
         "multipart/form-data", "multipart/form-data; boundary=", "text/plain", f"{URLENCODED}; charset=x")
    )  # fmt: skip
    queries = st.just(b"") | damaged(st.just(b"responsetype=xml&action=%ff")).map(
        lambda query: bytes(byte for byte in query if 32 < byte < 127 and byte not in b"#?")
    )
    fuzz(lambda body, content_type, query: runner.run(call(body, content_type, query)), bodies, types, queries)


def test_any_fields_are_answered_alike_in_both_kinds_of_body(panel: Panel, runner: asyncio.Runner) -> None:
    async def call(fields: list[tuple[str, str]]) -> None:
        encoded = await called(panel, urlencode(fields).encode(), URLENCODED)
        well_formed(encoded)
        in_parts = await called(panel, multipart(fields), f"multipart/form-data; boundary={BOUNDARY}")
        assert (in_parts.status_code, in_parts.content) == (encoded.status_code, encoded.content)

    calls = st.tuples(FIELDS, FIELDS).map(lambda both: [*both[0], *CALL.items(), *both[1]])
    fuzz(lambda fields: runner.run(call(fields)), calls | FIELDS)


def test_fields_that_nobody_knows_change_nothing(panel: Panel, runner: asyncio.Runner) -> None:
    plain = runner.run(called(panel, urlencode(CALL).encode(), URLENCODED))
    assert plain.json()["result"] == "success"

    async def call(fields: list[tuple[str, str]]) -> None:
        more = [(name, value) for name, value in fields if name.lower() not in KNOWN]
        answer = await called(panel, urlencode([*more, *CALL.items(), *more]).encode(), URLENCODED)
        assert (answer.status_code, answer.content) == (plain.status_code, plain.content)

    fuzz(lambda fields: runner.run(call(fields)), FIELDS)


def test_parts_come_out_as_they_went_in() -> None:
    def same(fields: list[tuple[str, str]]) -> None:
        boundary = boundary_of(f"multipart/form-data; boundary={BOUNDARY}".encode())
        assert boundary is not None
        assert multipart_fields(multipart(fields), boundary, 1_000) == fields

    texts = TEXTS.filter(lambda text: BOUNDARY not in text)
    names = texts.filter(lambda text: not set(text) & set("\\%"))
    fuzz(same, st.lists(st.tuples(names, texts), max_size=6))
