"""The HTTP contract, fuzzed from its own document against a server in this process."""

import asyncio
import json
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

from tests.web.push.streams import STREAM, STREAM_TICKET
from tests.web.world import COUNT, FILTERS, World, a_world

EXAMPLES = 12
"""An operation; some ten seconds in all."""

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

WORLD: World = asyncio.run(a_world(address_requests_per_min=0, credential_requests_per_min=0))
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", WORLD.app).exclude(path=STREAM)
"""A stream that is opened never ends, and the fuzzer waits for the end; its refusals are compared with the count's."""


@pytest.fixture(scope="module", autouse=True)
def answers_were_seen() -> Iterator[None]:
    """Fuzzing that only ever met refusals has proven little."""
    yield
    seen = {(line["path"], line["status"]) for line in map(json.loads, WORLD.lines)}
    assert {(COUNT, 200), (COUNT, 400), (COUNT, 401), (COUNT, 422), (FILTERS, 200), (STREAM_TICKET, 200)} <= seen


@pytest.mark.parametrize("caller", ["nobody", "somebody", "somebody with known ids"])
@SCHEMA.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_document_says(case: schemathesis.Case[Any], caller: str) -> None:
    if caller != "nobody":
        case.headers.update(WORLD.headers())
    if caller == "somebody with known ids":
        case.query.pop("templateProfileFilterId", None)
        if "filterIds" in case.query:
            case.query["filterIds"] = ["all"]
        if isinstance(case.body, dict):
            case.body = {**case.body, "filterIds": ["all", "3745"], "templateProfileFilterId": None}
    case.call_and_validate(checks=CHECKS)
