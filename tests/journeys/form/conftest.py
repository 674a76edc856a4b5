"""A service process over a real Redis in which a panel's tickets are, and what it must answer. Without Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.store.redis_store import open_store
from tests.journeys.form.panel_service import PanelService, address_in, filled, new_program, no_secrets_in


@asynccontextmanager
async def serving(redis: str, directory: Path, **settings: object) -> AsyncIterator[PanelService]:
    """At the end the process has to go quietly, and its log must not have a secret in it."""
    program = new_program(redis, directory, **settings)
    async with open_store(redis, 64, 5.0) as store:
        oracle = await filled(store)
        await asyncio.to_thread(program.launch, address_in)
        try:
            yield PanelService(program, oracle)
            await asyncio.to_thread(program.terminate)
        finally:
            program.kill()
    no_secrets_in(program.log.read_text())


@pytest.fixture
async def panel_service(redis_db: str, tmp_path: Path) -> AsyncIterator[PanelService]:
    """As it is set by default, but for the log, which is as talkative as it can be."""
    async with serving(redis_db, tmp_path) as running:
        yield running


@pytest.fixture
async def willing_service(redis_db: str, tmp_path: Path) -> AsyncIterator[PanelService]:
    """One that takes GET."""
    async with serving(redis_db, tmp_path, FORM_GET="true") as running:
        yield running
