"""Two users who open streams as long as there is a place: others still get theirs, and their answers in time."""

from contextlib import aclosing
from pathlib import Path

import pytest

from tests.hostile.attacker import Attacker, attacker
from tests.hostile.attacks import streams
from tests.hostile.neighbour import ENOUGH, Neighbour, beside, neighbour
from tests.servers.redis.redis_server import RedisServer
from tests.service.process.serving import Serving, headers_of, serving, stream_request

PLACES = 400


def request(user: str) -> str:
    return stream_request(headers_of(user)).decode()


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_two_users_leave_places_for_others(redis_process: RedisServer, tmp_path: Path) -> None:
    async with (
        serving(redis_process.url, tmp_path, STREAMS=PLACES, CREDENTIAL_REQUESTS_PER_MIN=0) as service,
        neighbour(service) as other,
        attacker("streams", service.url, requests=[request("eve"), request("mallory")], places=PLACES) as greedy,
    ):
        of_eve, of_mallory, of_ned = await beside(other, lambda: crowded(service, greedy, other))
    assert (of_eve, of_mallory) == (200, 80)
    assert of_ned == 10


async def crowded(service: Serving, greedy: Attacker, other: Neighbour) -> list[int]:
    """How many streams each of the two got, and a third one of ten, while all of theirs are open."""
    await greedy.begin()
    got: list[int] = await greedy.report()
    await other.answered(ENOUGH)
    async with aclosing(streams(service.url, [request("ned")], 10)) as third:
        got += await anext(third)
    await greedy.end()
    return got
