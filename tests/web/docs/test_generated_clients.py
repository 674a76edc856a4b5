"""The OpenAPI document keeps to its specification, and what others generate from it counts without special options."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import openapi_spec_validator
import pytest

from tests.web.api.test_preview import store_tickets
from tests.web.world import QUERY, REALM, TENANT, World

GENERATED = "ticket_counts_client"
CALLER: dict[str, Any] = {"module": "ticketing", "x_tenantid": TENANT, "realmname": REALM}
NESTED = {
    "all": [
        {"not": {"any": [{"field": "state", "op": "eq", "value": "closed"}]}},
        {"field": "priority", "op": "eq", "value": "4195"},
    ]
}


def run(*command: str, within: Path) -> None:
    """Runs a program of the same environment."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=within, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def saved(world: World, folder: Path) -> str:
    """Saves the document for a generator, and returns the file's name."""
    (folder / "openapi.json").write_bytes((await world.client.get("/openapi.json")).content)
    return "openapi.json"


@pytest.mark.parametrize("path", ["/openapi.json", "/openapi-3.2.json"])
async def test_the_document_keeps_to_its_specification(world: World, path: str) -> None:
    openapi_spec_validator.validate((await world.client.get(path)).json())


@pytest.mark.exhaustive
async def test_a_generated_client_is_typed_strictly_and_counts(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("openapi-python-client", "generate", "--path", await saved(world, tmp_path), "--meta", "none", within=tmp_path)
    run("mypy", "--strict", "--cache-dir", "cache", GENERATED, within=tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    calls = {name: import_module(f"{GENERATED}.api.counts.{name}") for name in (
        "get_ticket_count", "post_ticket_count", "get_ticket_filters", "post_ticket_count_preview", "post_form_call",
    )}  # fmt: skip
    models: Any = import_module(f"{GENERATED}.models")
    errors: Any = import_module(f"{GENERATED}.models.code")
    client = import_module(GENERATED).AuthenticatedClient(
        "http://counts",
        world.token(),
        httpx_args={"transport": httpx.ASGITransport(world.app)},
        raise_on_unexpected_status=True,
    )

    async def call(name: str, **more: Any) -> Any:
        return await calls[name].asyncio_detailed(client=client, type_=models.Perspective.TEMPLATE, **CALLER, **more)

    counted = await call("get_ticket_count", filter_ids=["all", "3745"])
    assert counted.parsed.data.counts.to_dict() == {"all": 5, "3745": 3}
    again = await call("get_ticket_count", filter_ids=["all", "3745"], if_none_match=counted.headers["etag"])
    assert (again.status_code, again.parsed) == (304, None)
    posted = await call("post_ticket_count", body=models.CountBody(filter_ids=["all", "3745"]))
    assert posted.parsed.data.to_dict() == counted.parsed.data.to_dict()
    refused = await call("post_ticket_count", body=models.CountBody(filter_ids=["all", "nope"]))
    assert refused.parsed.error.code is errors.Code.INVALID_FILTER_ID
    assert refused.parsed.error.details.invalid_ids == ["nope"]
    listed = await call("get_ticket_filters")
    assert {"all", "3745", "7471"} <= {each.id for each in listed.parsed.data.filters}
    await store_tickets(world)
    preview = await call("post_ticket_count_preview", body=models.PreviewBody.from_dict({"where": NESTED}))
    assert preview.parsed.data.count == 1
    form = await calls["post_form_call"].asyncio_detailed(client=client, body=models.FormCall(action="GetTicketCounts"))
    assert form.parsed.message == "Authentication Failed"


@pytest.mark.exhaustive
async def test_generated_models_take_what_the_service_answers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("datamodel-codegen", "--input", await saved(world, tmp_path), "--input-file-type", "openapi")
    run(*command, "--output", "generated_models.py", "--output-model-type", "pydantic_v2.BaseModel", within=tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    models: Any = import_module("generated_models")
    answer = await world.post(["all", "7472"])
    assert models.CountAnswer.model_validate_json(answer.content).data.counts == answer.json()["data"]["counts"]
    refused = models.ErrorAnswer.model_validate_json((await world.post(["nope"])).content)
    assert refused.error.details.invalidIds == ["nope"]
    body = models.PreviewBody.model_validate({"where": NESTED}).model_dump_json(by_alias=True, exclude_none=True)
    assert json.loads(body)["where"] == NESTED
    path = f"/api/v2/ticketing/ticket/count/preview?{QUERY}"
    headers = {**world.headers(), "content-type": "application/json"}
    previewed = await world.client.post(path, content=body, headers=headers)
    assert models.PreviewAnswer.model_validate_json(previewed.content).success is True
