"""How long Redis is held by reading `this_month` for an agent in 20 teams: counts of every quarter of an hour there."""

import random

from service import timezones
from service.clock import SystemClock
from service.domain.catalogue.catalogue import Filter, Status, TenantSettings
from service.domain.conditions.condition import Leaf
from service.domain.counting.column_matcher import ColumnMatcher
from service.domain.counting.contributions import Changes
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.record import new_record, numbered
from service.domain.tenants.tenant_entries import Entries
from service.domain.tenants.view import CountRequest, TenantView
from service.domain.tickets.ticket import QUARTER_US, Ticket, TicketState
from service.store.ports.catalogue import StoredTenant
from service.store.ports.reading import query_for
from service.store.ports.steps import Applied, Batch, TenantBatch
from service.store.redis.store import RedisStore, open_store
from tests.benchmarks.rig.cpu import cpu_s
from tests.benchmarks.rig.figures import Figure
from tests.benchmarks.rig.ground import Ground

TENANT, BUCKETS = "month", 4
TEAMS = tuple(f"team-{number:02}" for number in range(20))
TICKETS, BATCH = 60_000, 2_000
"""Of the last 31 days: 100 a team and day, and the agent's own among them."""

OWN = 0.01
"""The agent's share: 20 a day."""

READS = 1_000
"""By their CPU: another program that runs meanwhile takes none of it."""

ZONE = "Asia/Kathmandu"
"""45 minutes off the hour: quarters at both edges."""

MOST_MS = 3.0

AGENT = Viewer("ann", Role.AGENT, frozenset(TEAMS))
WANTED = CountRequest(AGENT, Perspective.TEMPLATE, ("month",))


async def measured(ground: Ground) -> list[Figure]:
    """Over counters written by hand, beside an answer without the month; the sockets' work is in both."""
    entries = Entries(
        TenantSettings(TENANT, "Month", "r", (Status("open", "Open"),)),
        {"month": Filter("month", "This month", "time", Leaf("createdAt", "within", "this_month"))},
    )
    record = new_record(entries, 1)
    with ground.redis() as redis:
        async with open_store(redis.url, BUCKETS, 30.0) as store:
            assert await store.put_tenant(TENANT, None, StoredTenant("t", "g", record))
            ground.say(f"counting {TICKETS:,} tickets of a month")
            await _filled(store, ColumnMatcher(numbered(record)))
            view, results = TenantView(record), []
            for wanted in (CountRequest(AGENT, Perspective.TEMPLATE, ("all",)), WANTED):
                now = SystemClock().now_us()
                day = timezones.day_at(now, ZONE)
                plan = view.plan(wanted, day)
                began = cpu_s(redis.pid)
                for _ in range(READS):
                    snapshot = await store.snapshot(query_for(TENANT, "t", "g", plan, day))
                    assert snapshot is not None
                results.append(1e3 * (cpu_s(redis.pid) - began) / READS)
    plain_ms, month_ms = results
    return [
        Figure("Redis held by an answer with `this_month`", "ms", (month_ms,), MOST_MS, at_most=True),
        Figure("  by one without", "ms", (plain_ms,)),
    ]


async def _filled(store: RedisStore, columns: ColumnMatcher) -> None:
    chance, now = random.Random(31), SystemClock().now_us()
    for start in range(0, TICKETS, BATCH):
        changes = Changes()
        for _ in range(start, start + BATCH):
            created = now - chance.randrange(31 * 96 * QUARTER_US)
            assignee = "ann" if chance.random() < OWN else f"agent-{chance.randrange(400)}"
            ticket = Ticket("open", created, team=chance.choice(TEAMS), assignee=assignee)
            counted = columns.counted(ticket, now)
            changes.add(
                None, TicketState(1, ticket, created, counted.mask, counted.next_change_at, counted.time_buckets)
            )
        tenant = TenantBatch(TENANT, "t", "g", (), changes.deltas(), None, changes.time_buckets())
        assert isinstance(await store.apply(Batch(store.bucket(TENANT), "topic", {}, [tenant], now)), Applied)
