"""Previews against the recount and against the counts of the same filters saved, over random worlds. Uses no Kafka."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.conditions.where import parse_where
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.tenants.view import CountRequest
from service.queries.counts import CountQueries
from service.queries.previews import PreviewLimits, PreviewQueries, PreviewRequest
from tests.fakes.memory_store import MemoryStore
from tests.oracle.generated.worlds import REALM, Ask, Shape, World, worlds
from tests.oracle.published.log import laid_out
from tests.oracle.recount import Recount, strongest
from tests.support.examples import examples
from tests.support.pipeline import FakeProducer, Pipeline, SetClock, published

LIMITS = PreviewLimits(tickets=1_000, deadline_s=30, at_once=2)

NOWS = ("2026-11-21T10:15:00Z", "2026-03-08T05:30:00Z", "2026-03-29T00:10:00Z", "2026-10-31T23:59:59.999999Z")
"""An ordinary one, and some around odd midnights of the worlds' zones."""

some = settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


class Side:
    """One world in a store of its own, and in the recount."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = MemoryStore()
        clock = SetClock(world.now_us)
        self.reading = CountQueries(self.store, clock, patience_s=0)
        self.previewing = PreviewQueries(self.reading, self.store, clock, LIMITS)
        self.oracle = Recount()

    async def drive(self) -> None:
        topic = published(self.world.catalogue)
        pipeline = Pipeline(self.store, topic, FakeProducer(), self.world.now_us)
        await pipeline.catch_up()
        log = laid_out(self.world.log, 1)
        await pipeline.consume(log)
        await pipeline.backfill()
        refused = pipeline.refused
        self.oracle.learn(item for offset, item in enumerate(self.world.catalogue) if offset not in refused)
        self.oracle.feed(log)

    async def previewed(self, ask: Ask, where: Mapping[str, Any], profile_id: str | None) -> int:
        question = PreviewRequest(
            viewer_of(ask), Perspective(ask.perspective), parse_where(where), profile_id, ask.timezone
        )
        return (await self.previewing.count(ask.tenant, REALM, question)).count

    def profile(self, ask: Ask) -> str | None:
        """The ask's profile, unless its entry was refused for what can't be counted yet."""
        return ask.profile_id if ask.profile_id in self.oracle.catalogue.profile_ids(ask.tenant, ask.viewer) else None


def viewer_of(ask: Ask) -> Viewer:
    return Viewer(ask.viewer.user, Role(strongest(ask.viewer)), ask.viewer.teams, ask.viewer.roles)


def conditions(world: World) -> list[Mapping[str, Any]]:
    """Every condition that the world's filters have, also those that couldn't be saved."""
    values = [item["value"] for item in world.catalogue if item["kind"] == "filter" and item["value"]]
    return [value["where"] for value in values]


async def compare_with_the_recount(world: World) -> None:
    side = Side(world)
    await side.drive()
    for ask in world.requests:
        profile_id = side.profile(ask)
        for where in conditions(world):
            expected = side.oracle.preview(
                ask.tenant, ask.viewer, ask.perspective, where, profile_id, world.now_us, ask.timezone
            )
            assert await side.previewed(ask, where, profile_id) == expected, (ask, where)


async def compare_with_the_counts(world: World) -> None:
    side = Side(world)
    await side.drive()
    for ask in world.requests:
        ids = tuple(side.oracle.catalogue.filter_ids(ask.tenant, ask.viewer, ask.perspective))
        wanted = CountRequest(viewer_of(ask), Perspective(ask.perspective), ids)
        counts = (await side.reading.answer(ask.tenant, REALM, wanted)).counts
        for name in ids[1:]:  # all but "all", whose condition can't be written
            where = side.oracle.catalogue.where(ask.tenant, name)
            assert await side.previewed(ask, where, None) == counts[name], (ask, name)


@some
@pytest.mark.timeout(240)
@given(st.sampled_from(NOWS).flatmap(lambda now: worlds(Shape(language="full", times=True, tenants=1, now=now))))
def test_a_preview_is_the_recounts_number_for_every_role_and_perspective(world: World) -> None:
    asyncio.run(compare_with_the_recount(world))


@some
@pytest.mark.timeout(240)
@given(worlds(Shape(language="full", edits=True, tenants=2)))
def test_a_preview_is_the_count_of_the_same_filter_saved(world: World) -> None:
    asyncio.run(compare_with_the_counts(world))
