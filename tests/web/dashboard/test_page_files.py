"""The page's files: where they are, how they may be kept, and what they may never do."""

import re
from pathlib import Path

import pytest

from tests.web.world import World, a_world

FOLDER = Path(__file__).parents[3] / "service" / "web" / "dashboard"
FILES = {path.name: path for folder in ("static", "scripts", "client") for path in sorted((FOLDER / folder).iterdir())}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def address(name: str) -> str:
    return "/" if name == "index.html" else f"/dashboard/{name}"


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_served_and_asked_for_again_only_when_it_has_changed(world: World, name: str) -> None:
    whole = await world.client.get(address(name))
    assert (whole.status_code, whole.content) == (200, FILES[name].read_bytes())
    assert whole.headers["content-type"].split(";")[0] == KINDS[Path(name).suffix]
    assert whole.headers["cache-control"] == "no-cache"
    again = await world.client.get(address(name), headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == whole.headers["etag"]
    changed = await world.client.get(address(name), headers={"if-none-match": '"another"'})
    assert changed.status_code == 200


@pytest.mark.parametrize("name", FILES)
async def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere(world: World, name: str) -> None:
    policy = (await world.client.get(address(name))).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert {rules[source] for source in rules if source.endswith("-src")} <= {"'none'", "'self'"}
    assert "unsafe" not in policy
    assert rules["form-action"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"


@pytest.mark.parametrize("name", FILES)
def test_no_file_needs_what_the_policy_forbids(name: str) -> None:
    text = FILES[name].read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"""(?:src|href|url\(|from|import)\s*[=(]?\s*["']?(?:https?:)?//""", text)
    if name.endswith(".html"):
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script>", text)


@pytest.mark.parametrize(
    ("host", "is_told"),
    [
        ("localhost", True), ("LOCALHOST:8080", True), ("desk.localhost", True), ("127.0.0.1:8080", True),
        ("127.1.2.3", True), ("[::1]:8080", True), ("localhost.", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False), ("[::2]", False), ("0.0.0.0", False), ("", False), ("evillocalhost", False),
    ],
)  # fmt: skip
async def test_a_demos_tokens_are_told_only_to_pages_of_this_machine(host: str, is_told: bool, tmp_path: Path) -> None:
    file = tmp_path / "sign-in.json"
    file.write_text('{"viewers": [1]}')
    demo = await a_world(development_sign_in=str(file))
    async with demo.client:
        answer = await demo.client.get("/development-sign-in.json", headers={"host": host})
    assert answer.json() == {"viewers": [1] if is_told else []}


async def test_there_is_nobody_to_sign_in_as_but_in_a_demo(world: World, tmp_path: Path) -> None:
    answer = await world.client.get("/development-sign-in.json")
    assert (answer.status_code, answer.json()) == (200, {"viewers": []})
    file = tmp_path / "sign-in.json"
    file.touch()
    demo = await a_world(development_sign_in=str(file))
    file.unlink()  # a demo has ended
    async with demo.client:
        assert (await demo.client.get("/development-sign-in.json")).json() == {"viewers": []}
        file.write_text('{"viewers": [1]}')
        answer = await demo.client.get("/development-sign-in.json", headers={"host": "localhost:8080"})
    assert answer.json() == {"viewers": [1]}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_setting_switches_all_of_it_off() -> None:
    world = await a_world(dashboard=False)
    async with world.client:
        for path in (*map(address, FILES), "/development-sign-in.json"):
            assert (await world.client.get(path)).status_code == 404
