"""Whether the counts are right: every answer asked of the store and of the recount. Never measures time."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from service.clock import SystemClock
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import CountRequest
from service.queries.counts import CountQueries
from service.store.redis.store import open_store
from tests.benchmarks.rig.ground import Ground
from tests.benchmarks.rig.workload import (
    PRIORITIES,
    REALM,
    STATUSES,
    agent,
    catalogue,
    events,
    filter_ids,
    team,
    tenant_ids,
)
from tests.oracle.published.catalogue import Viewer as OracleViewer
from tests.oracle.recount import Answer, Recount
from tests.support.waiting import wait_until

VIEWERS = (
    Viewer("root", Role.ADMIN, roles=frozenset((Role.ADMIN,))),
    Viewer(agent(7), Role.AGENT, frozenset((team(1), team(5), team(9))), frozenset((Role.AGENT,))),
    Viewer("user-042", Role.USER, roles=frozenset((Role.USER,))),
)

APPLIED_S = 30.0
"""Longest wait for the last positions: they follow the last event within a second."""

MOST_RECOUNTED_FILTERS = 100
"""With more filters only every tenth tenant is recounted: going through every ticket for each is slow."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a viewer of a tenant must see."""

    tenant: str
    viewer: Viewer
    answer: Answer


def recounted(ground: Ground) -> list[Expected]:
    """The right answers, from every event of the workload."""
    size = ground.size
    oracle = Recount(catalogue(size, {}))
    oracle.feed(msgspec.json.decode(line) for line in events(size))
    if oracle.dead_letters or oracle.catalogue.refused:
        raise SystemExit(f"the workload is broken: {(oracle.dead_letters or oracle.catalogue.refused)[0]}")
    now_us = SystemClock().now_us()
    ids = asked(ground)
    few = tenant_ids(size) if size.filters <= MOST_RECOUNTED_FILTERS else tenant_ids(size)[::10]
    return [
        Expected(tenant, viewer, oracle.counts(tenant, _as_named(viewer), "template", ids, None, now_us))
        for tenant in few
        for viewer in VIEWERS
    ]


async def differences(ground: Ground, redis_url: str, expected: Sequence[Expected]) -> list[str]:
    """Every number that the store has otherwise, once all positions are at the topic's end."""
    settings = ground.settings
    async with open_store(redis_url, settings.buckets, settings.redis_timeout_s) as store:

        async def through() -> bool:
            states = await store.states(range(settings.buckets))
            return min(sum(state.positions.values()) for state in states.values()) >= ground.size.events

        await wait_until(through, APPLIED_S, "every bucket's positions to reach the end of the topic")
        reading = CountQueries(store, SystemClock())
        ids = tuple(asked(ground))
        wrong = []
        for one in expected:
            found = await reading.answer(one.tenant, REALM, CountRequest(one.viewer, Perspective.TEMPLATE, ids))
            pairs = {**one.answer["counts"], **one.answer["summary"]}.items()
            got = {**found.counts, **found.summary}
            wrong += [
                f"{one.tenant} {one.viewer.role} {name}: {got[name]}, recounted {count}"
                for name, count in pairs
                if got[name] != count
            ]
        return wrong


def asked(ground: Ground) -> list[str]:
    """Every id that a viewer may ask for, at most as many as one request may have."""
    return ["all", *STATUSES, *PRIORITIES, *filter_ids(ground.size)][:500]


def _as_named(viewer: Viewer) -> OracleViewer:
    return OracleViewer(frozenset(map(str, viewer.roles)), viewer.user, viewer.teams)
