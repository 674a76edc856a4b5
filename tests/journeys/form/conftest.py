"""Service processes over a real Redis in which a panel's tickets are, and what they must answer. Without Kafka."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.store.redis.store import open_store
from tests.journeys.form.panel_service import PanelService, address_in, filled, new_program, no_secrets_in
from tests.oracle.recount import Recount
from tests.servers.redis.redis_server import closing_client


@contextmanager
def serving(redis: str, directory: Path, oracle: Recount, **settings: object) -> Iterator[PanelService]:
    """At the end the process has to go quietly, and its log must not have a secret in it."""
    program = new_program(redis, directory, **settings)
    try:
        program.launch(address_in)
        yield PanelService(program, oracle)
        program.terminate()
    finally:
        program.kill()
    no_secrets_in(program.log.read_text())


@pytest.fixture(scope="module")
def panel(redis_url: str) -> Iterator[Recount]:
    """The recount of what is in Redis for all tests of a file; none of them may use `redis_db`, which empties it."""
    with closing_client(redis_url) as client:
        client.flushdb()
    yield asyncio.run(_filled(redis_url))
    with closing_client(redis_url) as client:
        client.flushdb()


@pytest.fixture(scope="module")
def panel_service(redis_url: str, panel: Recount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelService]:
    """As it is set by default, but for the log, which is as talkative as it can be."""
    with serving(redis_url, tmp_path_factory.mktemp("service"), panel) as running:
        yield running


@pytest.fixture(scope="module")
def willing_service(redis_url: str, panel: Recount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelService]:
    """One that takes GET."""
    with serving(redis_url, tmp_path_factory.mktemp("willing"), panel, FORM_GET="true") as running:
        yield running


async def _filled(redis: str) -> Recount:
    async with open_store(redis, 64, 5.0) as store:
        return await filled(store)
