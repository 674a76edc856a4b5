"""One user who asks for stream tickets without end takes up a fixed part of Redis, and nobody else's time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.store.ports.grants import GRANT_BYTES
from tests.hostile.attacker import attacked
from tests.hostile.neighbour import neighbour
from tests.servers.redis.redis_server import RedisServer, closing_client
from tests.service.process.serving import ASKED, STREAM_TICKET, Serving, serving, token

TICKETS = 900

LIMIT = 20
"""The default of `stream_tickets_per_user`."""


@pytest.fixture
async def service(redis_process: RedisServer, tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(redis_process.url, tmp_path) as running:
        yield running


def request(number: int) -> dict[str, Any]:
    """Each with other teams, so that no two tickets allow the same."""
    teams = [f"{number}-7a1c0f2e-55aa-4c1b-9d1e-{team:06}" for team in range(100)]
    bearer = token(user="eve", role="ticket_agent", teams=teams)
    return {
        "method": "POST",
        "url": STREAM_TICKET,
        "params": {"type": ASKED["type"], "module": ASKED["module"]},
        "json": {"filterIds": ["all"]},
        "headers": {"authorization": f"Bearer {bearer}", "x-tenantid": "acme", "realmname": "r"},
    }


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_tickets_of_one_user_take_no_more_than_their_place(service: Serving, redis_process: RedisServer) -> None:
    requests = [request(number) for number in range(TICKETS)]
    async with neighbour(service) as other:
        for statuses in await attacked(other, "requests", service.url, requests=requests):
            assert statuses.keys() <= {"200", "429 RATE_LIMITED"}
            assert statuses["429 RATE_LIMITED"] > 0
    with closing_client(redis_process.url) as client:
        keys = client.keys("tc:grant:*")
        taken = sum(client.memory_usage(key, samples=0) or 0 for key in keys)
        print(f"{taken} bytes of Redis in {len(keys)} keys for {TICKETS} tickets")
        assert taken < 2 * LIMIT * GRANT_BYTES
