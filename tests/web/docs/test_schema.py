"""The HTTP contract, fuzzed from its own document against a server in this process."""

import asyncio
import hashlib
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.domain.catalogue.catalogue import Admin, Credential
from service.web.form.api import PATH as FORM
from tests.support.examples import is_quick
from tests.web.push.streaming.streams import STREAM, STREAM_TICKET
from tests.web.world import COUNT, FILTERS, TENANT, World, a_world

FORM_FIELDS = {"action", "responsetype", "includeCountsByStatus", "ignoreDepartmentAssignments", "deptid"}

EXAMPLES = 12
"""Of each operation and caller, beside the cases that the document itself leads to."""

CALLERS = ("nobody", "somebody", "somebody with known ids")
"""`make test` sends each case as one of them, `make test-all` the cases of all three."""

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

FORM_CALLER = {"identifier": "key", "secret": "s"}


async def unlimited_world() -> World:
    """One that never slows the fuzzer down, with a credential of the form API."""
    world = await a_world(
        address_requests_per_min=0, credential_requests_per_min=0, form_failures_per_min=0, stream_tickets_per_user=0
    )
    secret = hashlib.sha256(b"s").hexdigest()
    await world.store.put_credential("key", 1, Credential("key", (secret,), TENANT, Admin("1", "Ann", "ann")))
    return world


WORLD = asyncio.run(unlimited_world())
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", WORLD.app).exclude(path=STREAM)
"""A stream that is opened never ends, and the fuzzer waits for the end; its refusals are compared with the count's."""


@pytest.fixture(scope="module", autouse=True)
def answers_were_seen() -> Iterator[None]:
    """Fuzzing that only ever met refusals has proven little."""
    yield
    seen = {(line["path"], line["status"]) for line in map(json.loads, WORLD.lines)}
    assert {(COUNT, 200), (COUNT, 400), (COUNT, 401), (COUNT, 422), (FILTERS, 200), (STREAM_TICKET, 200)} <= seen
    assert {(FORM, 200), (FORM, 403)} <= seen


def caller_of(case: schemathesis.Case[Any]) -> str:
    """One of the three, always the same for the same case."""
    return CALLERS[zlib.crc32(repr((case.method, case.path, case.query, case.body)).encode()) % len(CALLERS)]


@pytest.mark.parametrize("caller", ["one of them"] if is_quick() else CALLERS)
@SCHEMA.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: schemathesis.Case[Any], caller: str) -> None:
    if caller not in CALLERS:
        caller = caller_of(case)
    if caller != "nobody":
        case.headers.update(WORLD.headers())
        if case.path == FORM and isinstance(case.body, dict):
            known = {name: value for name, value in case.body.items() if name in FORM_FIELDS}
            case.body = {**known, **FORM_CALLER}
    if caller == "somebody with known ids":
        case.query.pop("templateProfileFilterId", None)
        if "filterIds" in case.query:
            case.query["filterIds"] = ["all"]
        if isinstance(case.body, dict) and case.path == FORM:
            case.body["action"] = "GetTicketCounts"
        elif isinstance(case.body, dict):
            case.body = {**case.body, "filterIds": ["all", "3745"], "templateProfileFilterId": None}
    case.call_and_validate(checks=CHECKS)
