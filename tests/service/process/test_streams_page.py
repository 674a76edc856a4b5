"""Every example of docs/streams.md, run as it stands there against a service: it shows what is counted."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.clients.clients import Chromium, has_chromium
from tests.clients.npm_packages import node_modules
from tests.deploy.clone import ROOT
from tests.deploy.documents import blocks_of
from tests.servers.ports import free_port
from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import Serving, serving, token
from tests.support.fetched import NotFetched
from tests.support.waiting import wait_until

PAGE = ROOT / "docs" / "streams.md"

SHOWN_S = 15.0
"""Starting a program, on a busy machine."""


def block(kind: str, containing: str) -> str:
    """The one example of this kind with that in it."""
    (found,) = (each.text for each in blocks_of(PAGE) if each.kind == kind and containing in each.text)
    return found


def environ(service: Serving) -> dict[str, str]:
    return {**os.environ, "URL": service.program.address, "TOKEN": token(), "TENANT": "acme", "REALM": "r"}


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path) as running:
        yield running


@contextmanager
def printing(command: Sequence[str], service: Serving, output: Path) -> Iterator[None]:
    """A program that runs while the context is open, and prints into the file."""
    with output.open("wb") as out, subprocess.Popen(command, env=environ(service), stdout=out, stderr=out) as program:
        try:
            yield
            assert program.poll() is None, f"it has ended: {output.read_text()}"
        finally:
            program.kill()


async def shows_changes(command: Sequence[str], service: Serving, output: Path) -> None:
    """It prints the number of all tickets as it is, and then as it becomes."""
    with printing(command, service, output):
        for _ in range(2):
            line = f"all: {await service.add()}\n"
            await wait_until(partial(_has, output, line), SHOWN_S, line)


def _has(output: Path, line: str) -> bool:
    return line in output.read_text()


async def test_curl(service: Serving) -> None:
    await service.add()
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-euo", "pipefail", "-c", block("sh", "curl")], env=environ(service), check=True,
        capture_output=True, text=True, timeout=SHOWN_S,
    )  # fmt: skip
    assert "event: snapshot\n" in done.stdout
    assert '"counts":{"all":1}' in done.stdout


async def test_python(service: Serving, tmp_path: Path) -> None:
    program = tmp_path / "stream.py"
    program.write_text(block("python", "urllib"))
    await shows_changes([sys.executable, str(program)], service, tmp_path / "printed")


@pytest.mark.parametrize("containing", ["for (;;)", 'from "eventsource"'])
async def test_node(service: Serving, tmp_path: Path, containing: str) -> None:
    try:
        modules = node_modules()
    except NotFetched as reason:
        pytest.skip(str(reason))
    program = tmp_path / "stream.mjs"
    program.write_text(block("js", containing))
    (tmp_path / "node_modules").symlink_to(modules)
    await shows_changes(["node", str(program)], service, tmp_path / "printed")


@pytest.mark.timeout(120)
@pytest.mark.skipif(not has_chromium(), reason="needs chromium and chromedriver on PATH")
async def test_a_browser_of_the_same_and_of_another_origin(redis_process: RedisServer, tmp_path: Path) -> None:
    port = free_port()
    elsewhere = f"http://localhost:{port}"  # another name is another origin
    async with serving(redis_process.url, tmp_path, PORT=port, CORS_ORIGINS=elsewhere) as service:
        await service.add()
        browser = await asyncio.to_thread(Chromium, f"{elsewhere}/healthz", tmp_path / "profile")
        try:
            for page in (elsewhere, service.program.address):
                await shown_in(browser, page, service)
        finally:
            await asyncio.to_thread(browser.close)


async def shown_in(browser: Chromium, page: str, service: Serving) -> None:
    """The page shows what is counted, and a change."""
    run = browser.driver.execute_script
    await asyncio.to_thread(browser.driver.get, f"{page}/healthz")
    opening = "openStream(...arguments, ['all'], (state) => { window.shown = state; })"
    failing = ".catch((error) => { window.shown = { counts: { all: String(error) } }; });"
    script = block("js", "new EventSource(`${path}") + opening + failing
    await asyncio.to_thread(run, script, service.program.address, token(), "acme", "r")

    async def shows(total: int) -> bool:
        shown = await asyncio.to_thread(run, "return window.shown")
        assert shown is None or isinstance(shown["counts"]["all"], int), shown
        return shown is not None and shown["counts"]["all"] == total

    await wait_until(partial(shows, service.total), SHOWN_S, "the counts on the page")
    await wait_until(partial(shows, await service.add()), SHOWN_S, "the change on the page")
