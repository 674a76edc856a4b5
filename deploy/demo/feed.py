"""Puts the demo's catalogue, its stock of tickets and then its live events into Kafka. Invents nothing itself."""

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
"""After a longer stop (a laptop that slept, a broker that was away) what was missed is not made up at once."""


async def publish_catalogue(settings: ConsumerSettings, key: PrivateKey) -> None:
    """The realm, the tenant and its filters. Raises PublishStopped."""
    await publish([msgspec.json.encode(entry) for entry in entries(jwks(key))], settings, say=_silent)


async def publish_stock(settings: ConsumerSettings, histories: Histories) -> int:
    """The tickets that are there in the beginning; returns how many. Raises PublishStopped."""
    return (await publish(histories.stock(), settings, say=_silent)).events


async def publish_live(settings: ConsumerSettings, histories: Histories, rate: float) -> None:
    """Events as they fall due, for ever. Raises PublishStopped."""
    await publish(_due(histories, rate), settings, say=_silent)


async def _due(histories: Histories, rate: float) -> AsyncIterator[bytes]:
    late_s = 0.0
    for happening in histories.live(rate):
        wait_s = happening.at_us / 1e6 + late_s - time.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        elif wait_s < -MOST_BEHIND_S:
            late_s -= wait_s
        yield happening.line


def _silent(message: str) -> None:
    """How publishing goes is no news here: the numbers show it."""
