"""Clients that offer HTTP/2 with every request over plain HTTP: curl when told to, Java's own client by default."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import STREAM, Serving, serving

COUNT = STREAM.removesuffix("/stream")

JAVA_STARTS_WITHIN_S = 50
"""It compiles the client first, on a machine that does other things as well."""


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path) as running:
        yield running


async def said_by(*command: str) -> str:
    """What the program prints; fails when it fails."""
    program = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(JAVA_STARTS_WITHIN_S):
        out, err = await program.communicate()
    assert program.returncode == 0, err.decode()
    return out.decode()


def url(service: Serving) -> str:
    return f"{str(service.client.base_url).rstrip('/')}{COUNT}?type=template&module=ticketing"


def body(padding: int = 0) -> str:
    return json.dumps({"filterIds": ["all"], "more": "x" * padding})


@pytest.mark.parametrize("padding", [0, 200_000])
async def test_curl_is_answered(service: Serving, padding: int, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in await said_by(curl, "--version"):
        pytest.skip("no curl that speaks HTTP/2 on this machine")
    await service.add()
    (tmp_path / "body").write_text(body(padding))
    headers = {**service.headers, "content-type": "application/json"}
    lines = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    answer = await said_by(
        curl, "--silent", "--http2", *lines, "--data", f"@{tmp_path / 'body'}", url(service), url(service)
    )
    first, second = answer.replace("}{", "}\n{").splitlines()
    for each in (first, second):
        assert json.loads(each)["data"]["counts"] == {"all": 1}


@pytest.mark.exhaustive  # Java compiles the client first
async def test_javas_client_is_answered(service: Serving) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("no Java on this machine")
    await service.add()
    headers = [word for pair in service.headers.items() for word in pair]
    client = Path(__file__).with_name("PostsTwice.java")
    answers = await said_by(java, str(client), url(service), body(), *headers, "content-type", "application/json")
    for each in answers.splitlines():
        status, version, said = each.split(" ", 2)
        assert (status, version) == ("200", "HTTP_1_1")
        assert json.loads(said)["data"]["counts"] == {"all": 1}
    assert len(answers.splitlines()) == 2
