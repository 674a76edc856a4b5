"""The panel that each test of the form API gets, fresh."""

from collections.abc import AsyncIterator

import pytest

from tests.web.form.panel import Panel, a_panel


@pytest.fixture
async def panel() -> AsyncIterator[Panel]:
    """The usual panel."""
    made = await a_panel()
    async with made.client:
        yield made
