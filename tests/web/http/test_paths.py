"""A path has one spelling, and a method that isn't answered is told the ones that are."""

import pytest

from tests.web.world import COUNT, QUERY, World

STREAM = f"{COUNT}/stream"


@pytest.mark.parametrize("path", [f"{COUNT}/", f"{COUNT}%0A", f"/{COUNT}", COUNT.upper(), "/healthz/", "/readyz%0A"])
async def test_another_spelling_of_a_path_is_no_path_and_no_redirect(world: World, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await world.client.request(method, f"http://counts{path}?{QUERY}", headers=world.headers())
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", COUNT, "GET, HEAD, POST"),
        ("HEAD", STREAM, "GET, POST"),
        ("GET", f"{STREAM}-ticket", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
    ],
)
async def test_a_method_that_is_not_answered_is_told_the_others_before_anything_else(
    world: World, method: str, path: str, allowed: str
) -> None:
    answer = await world.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    assert (await world.client.request("BREW", path)).status_code == 405
