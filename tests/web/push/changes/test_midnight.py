"""Midnight where the viewer is: what today means changes, and open streams are told without any event."""

import pytest

from service.domain.tickets.instant import parse_instant
from service.domain.tickets.ticket import Ticket
from tests.web.push.streaming.streams import Pushing
from tests.web.push.streaming.virtual_time import LoopClock

SECOND = 1_000_000
HOUR = 3_600 * SECOND
SHORTLY = 18 * SECOND
"""Before midnight a stream begins: the views' usual reads fall 3 s before it and 2 s after it, and would be seen."""


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", "2027-01-16T00:00:00Z"),
        ("Asia/Kathmandu", "2027-01-15T18:15:00Z"),
        ("America/New_York", "2027-01-16T05:00:00Z"),
        ("Pacific/Chatham", "2027-01-15T10:15:00Z"),
    ],
)
async def test_due_today_drops_to_zero_at_the_viewers_own_midnight(pushing: Pushing, zone: str, midnight: str) -> None:
    at = parse_instant(midnight)
    assert isinstance(pushing.world.clock, LoopClock)
    pushing.world.clock.now += at - SHORTLY - pushing.world.clock.now_us()
    await pushing.add(Ticket("3745", 0, due_at=at - HOUR), hinted=False)
    bearer = pushing.world.token(exp=at // SECOND + 600)
    stream = await pushing.open(bearer=bearer, timezone=zone)
    first = await stream.next()
    assert first.data["summary"]["dueToday"] == 1
    changed = await stream.next()
    while changed.name == "heartbeat":
        changed = await stream.next()
    assert (changed.name, changed.data["counts"], changed.data["summary"]) == ("counts", {}, {"dueToday": 0})
    assert at <= parse_instant(changed.data["computedAt"]) < at + SECOND // 2


async def test_nothing_happens_at_somebody_elses_midnight(pushing: Pushing) -> None:
    at = parse_instant("2027-01-15T18:15:00Z")
    assert isinstance(pushing.world.clock, LoopClock)
    pushing.world.clock.now += at - SHORTLY - pushing.world.clock.now_us()
    await pushing.add(Ticket("3745", 0, due_at=at - HOUR), hinted=False)
    stream = await pushing.open(bearer=pushing.world.token(exp=at // SECOND + 600))
    assert (await stream.next()).data["summary"]["dueToday"] == 1
    assert {(await stream.next()).name for _ in range(4)} == {"heartbeat"}
