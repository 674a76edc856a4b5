"""Health, metrics, and the documents."""

import json
import re

import pytest
from jsonschema_rs import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from tests.web.world import COUNT, FILTERS, QUERY, World


async def test_alive_whatever_the_store_does_and_ready_only_with_it(world: World) -> None:
    world.store.away = True
    assert (await world.client.get("/healthz")).status_code == 200
    answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "store": False, "catalogue": False})
    world.store.away = False
    await world.store.forget_catalogue_offsets()
    answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()["store"], answer.json()["catalogue"]) == (503, True, False)
    await world.store.set_validated_offset(0)
    answer = await world.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


async def test_metrics_count_requests_by_our_paths_only(world: World) -> None:
    await world.post()
    await world.post(["nope"])
    await world.client.get("/made/up")
    await world.client.request("BREW", "/healthz")
    text = (await world.client.get("/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    requests = {
        (sample.labels["path"], sample.labels["method"], sample.labels["status"]): sample.value
        for sample in families["ticket_counts_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert requests == {
        (COUNT, "POST", "200"): 1,
        (COUNT, "POST", "422"): 1,
        ("other", "GET", "404"): 1,
        ("/healthz", "other", "405"): 1,
    }
    assert re.search(r'tzdata="20\d\d\.\d+"', text)


async def test_the_documents_are_there(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    shown = {COUNT, FILTERS, "/docs", "/docs/events", "/metrics"}
    assert (document["openapi"], document["paths"].keys() >= shown) == ("3.1.0", True)
    newer = (await world.client.get("/openapi-3.2.json")).json()
    assert newer["openapi"] == "3.2.0"
    assert newer["paths"].keys() == document["paths"].keys()
    events = (await world.client.get("/asyncapi.json")).json()
    assert events["asyncapi"] == "3.0.0"
    operations = [each for path in document["paths"].values() for each in path.values()]
    for operation in (*operations, *events["operations"].values()):
        assert operation["summary"], operation
        assert operation["description"], operation


@pytest.mark.parametrize("path", ["/docs", "/docs/events"])
async def test_a_page_loads_files_of_this_service_alone_and_runs_no_script_of_its_own(world: World, path: str) -> None:
    page = await world.client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    rules = dict(rule.strip().split(" ", 1) for rule in page.headers["content-security-policy"].split(";"))
    assert (rules["default-src"], rules["form-action"], rules["base-uri"]) == ("'none'", "'none'", "'none'")
    assert {rules.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert rules.pop("img-src") == "'self' data:"
    assert set(rules.values()) == {"'none'"}
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", page.text)
    named = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert {"/docs", "/docs/events", "/openapi.json", "/openapi-3.2.json", "/asyncapi.json"} <= set(named)
    for name in named:
        assert name == "data:," or (name.startswith("/") and (await world.client.get(name)).status_code == 200), name


@pytest.mark.parametrize("path", ["/docs", "/docs/page.css", "/docs/swagger-ui.js", "/docs/asyncapi-viewer.js"])
async def test_a_file_of_the_pages_is_sent_again_only_when_it_has_changed(world: World, path: str) -> None:
    whole = await world.client.get(path)
    assert (whole.status_code, whole.headers["cache-control"]) == (200, "no-cache")
    again = await world.client.get(path, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_line_of_the_access_log_is_one_line_to_every_reader(world: World) -> None:
    user = "ann\u2028or\u2029so"
    assert (await world.post(bearer=world.token(user))).status_code == 200
    (line,) = world.lines[0].splitlines()
    assert json.loads(line)["user"] == user


async def test_answers_are_as_the_document_says(world: World) -> None:
    document = (await world.client.get("/openapi.json")).json()
    paths, components = document["paths"], document["components"]
    await world.store.set_validated_offset(0)
    answers = [
        (COUNT, "post", await world.post(["all", "7472"])),
        (COUNT, "post", await world.post([])),
        (COUNT, "post", await world.post(["nope"])),
        (COUNT, "post", await world.post(bearer="x")),
        (COUNT, "get", await world.get()),
        (FILTERS, "get", await world.client.get(f"{FILTERS}?{QUERY}", headers=world.headers())),
        ("/healthz", "get", await world.client.get("/healthz")),
        ("/readyz", "get", await world.client.get("/readyz")),
    ]
    for path, method, answer in answers:
        described = paths[path][method]["responses"][str(answer.status_code)]
        schema = described["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": components}).validate(answer.json())
        for name, header in described.get("headers", {}).items():
            assert name.lower() in answer.headers or not header["required"], (path, name)
