"""A test that leaves a task running has failed. Never cancels anything itself."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have every async test watched."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, "no_leaked_tasks")  # set up first, so torn down last


@pytest.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Fails the test whose tasks, or whose fixtures' tasks, outlive it."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks outlive the test: {[task.get_coro() for task in left]}"
