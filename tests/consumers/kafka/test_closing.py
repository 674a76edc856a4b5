"""A cancellation that comes while a Kafka client is being closed is never lost: Ctrl-C and SIGTERM are such."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

from consumers.kafka.closing import closed
from consumers.kafka.topic_metadata import describe_topics
from consumers.kafka.topics import _create
from consumers.rebuild.log_checks import _policy
from consumers.settings import ConsumerSettings

USES = {
    "describe topics": lambda: describe_topics("127.0.0.1:1", ["events"]),
    "create topics": lambda: _create(ConsumerSettings(), ["ticket-events"]),
    "ask for a policy": lambda: _policy("127.0.0.1:1", "events"),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_a_use_that_is_cancelled_while_its_client_closes_ends_as_cancelled(
    use: Callable[[], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    leaving, may_go = asyncio.Event(), asyncio.Event()

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            leaving.set()
            await may_go.wait()

    async def bootstrap(client: AIOKafkaClient) -> None:
        client._sync_task = asyncio.create_task(background())
        await asyncio.sleep(0)
        raise KafkaConnectionError("nobody is there")

    monkeypatch.setattr(AIOKafkaClient, "bootstrap", bootstrap)
    using = asyncio.ensure_future(use())
    await leaving.wait()
    using.cancel()
    may_go.set()
    with pytest.raises(asyncio.CancelledError):
        await using


async def test_what_closing_raises_is_raised() -> None:
    async def closing() -> None:
        raise KafkaConnectionError("gone")

    with pytest.raises(KafkaConnectionError):
        await closed(closing())
