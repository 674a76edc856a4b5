"""The world that each test of the HTTP room gets, fresh."""

from collections.abc import AsyncIterator

import pytest

from tests.web.world import World, a_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The usual world."""
    made = await a_world()
    async with made.client:
        yield made
