"""Publishes the demo's catalogue, its stock of tickets and its live events to Kafka. Invents nothing itself."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec

from consumers.publish import publish
from consumers.settings import ConsumerSettings
from deploy.demo.desk.example import entries
from deploy.demo.desk.histories import Histories
from service.token import PrivateKey, jwks

MOST_BEHIND_S = 5.0
"""Longest delay that is caught up at once. After a longer stop (a sleeping laptop, a missing broker) all later events
are delayed instead."""


async def publish_catalogue(settings: ConsumerSettings, key: PrivateKey) -> None:
    """Publishes realm, tenant, filters and profile. Raises PublishStopped."""
    await publish([msgspec.json.encode(entry) for entry in entries(jwks(key))], settings, say=_silent)


async def publish_stock(settings: ConsumerSettings, histories: Histories) -> int:
    """Publishes the initial tickets and returns their number. Raises PublishStopped."""
    return (await publish(histories.stock(), settings, say=_silent)).events


async def publish_live(settings: ConsumerSettings, histories: Histories, rate: float) -> None:
    """Publishes each event when it is due, for ever. Raises PublishStopped."""
    await publish(_due(histories, rate), settings, say=_silent)


async def _due(histories: Histories, rate: float) -> AsyncIterator[bytes]:
    late_s = 0.0
    for event in histories.live(rate):
        wait_s = event.at_us / 1e6 + late_s - time.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif wait_s < -MOST_BEHIND_S:
            late_s -= wait_s
        yield event.line


def _silent(message: str) -> None:
    """Drops progress messages: the page shows the progress."""
