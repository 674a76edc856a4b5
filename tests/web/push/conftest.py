"""Tests of pushing run in virtual time, each in a world of its own."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.web.push.streaming.streams import Pushing, a_pushing_world
from tests.web.push.streaming.virtual_time import loop_factories


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Any]:
    """Every test of this folder has the loop that never waits."""
    return loop_factories()


@pytest.fixture
async def pushing() -> AsyncIterator[Pushing]:
    """The usual world, its hub running."""
    async with a_pushing_world() as made:
        yield made
