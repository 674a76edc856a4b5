"""Real incidents through real Kafka: at every prefix, and in every order, the counts are those of the truth."""

import gzip
import random
from collections.abc import Iterable, Sequence
from functools import cache

import pytest

from tests.journeys.programs.asking import Question, admin, realm
from tests.journeys.programs.system import System
from tests.oracle.published import volvo
from tests.oracle.published.catalogue import Viewer
from tests.oracle.recount import Recount

pytestmark = [
    pytest.mark.usefixtures("apache_kafka"),
    pytest.mark.skipif(not volvo.is_present(), reason=volvo.WHY_ABSENT),
    # 65,533 events through one consumer beside its broker: 15 s on two quiet cores.
    pytest.mark.timeout(180),
]

CAUGHT_UP_S = 90.0
SEED = 2013


@cache
def event_lines() -> tuple[bytes, ...]:
    """The events as they lie in the file."""
    return tuple(gzip.decompress((volvo.FOLDER / "events.ndjson.gz").read_bytes()).splitlines())


def truth_after(events: int) -> list[volvo.Truth]:
    """The rows of that prefix, with and without a profile."""
    return [row for row in volvo.truth() if row.events == events]


async def differences(system: System, rows: Sequence[volvo.Truth]) -> list[str]:
    """Every number of every row that the service sees otherwise, once it has reached the log's end."""
    ends = await system.ends()
    found = []
    for row in rows:
        viewer = Viewer(frozenset({row.role}), row.user, row.teams)
        question = Question(row.tenant, viewer, filter_ids=tuple(row.counts), profile_id=row.profile_id)
        snapshot = await system.reached(question, ends, within_s=CAUGHT_UP_S)
        told = {**snapshot.counts, **snapshot.summary}
        true = {**row.counts, "totalOpen": row.total_open, "totalClosed": row.total_closed}
        found += [
            f"{row.events} {question}: {id_} is {told[id_]}, not {n}" for id_, n in true.items() if told[id_] != n
        ]
    return found


async def recount_differences(system: System) -> list[str]:
    """What an administrator of each tenant sees otherwise than an independent recount of all events."""
    oracle = Recount([*volvo.catalogue()])
    oracle.feed(volvo.events())
    found = []
    for tenant in sorted(oracle.catalogue.tenants):
        ids = oracle.catalogue.filter_ids(tenant, admin(), "template")
        told = (await system.settled(tenant, tuple(ids), within_s=CAUGHT_UP_S)).counts
        true = oracle.counts(tenant, admin(), "template", ids, None, now_us=0)["counts"]
        found += [f"{tenant}: {id_} is {told[id_]}, not {n}" for id_, n in true.items() if told[id_] != n]
    return found


async def published(system: System, lines: Iterable[bytes]) -> None:
    """The catalogue, then the events in this order."""
    await system.publish_all([realm(volvo.REALM), *volvo.catalogue()])
    await system.publish_all(lines)


@pytest.fixture
def realm_name() -> str:
    return volvo.REALM


async def test_every_prefix_of_the_log_counts_what_the_truth_says(system: System) -> None:
    await system.publish_all([realm(volvo.REALM), *volvo.catalogue()])
    done = 0
    for prefix in volvo.prefixes():
        await system.publish_all(event_lines()[done:prefix])
        done = prefix
        rows = truth_after(prefix)
        assert len(rows) > 60
        assert await differences(system, rows) == []
    assert done == len(event_lines())
    assert await recount_differences(system) == []


async def test_the_log_shuffled_ends_in_the_same_counts(system: System) -> None:
    lines = list(event_lines())
    random.Random(SEED).shuffle(lines)
    await published(system, lines)
    assert await differences(system, truth_after(len(lines))) == []
    assert await recount_differences(system) == []


async def test_half_of_the_log_and_then_all_of_it_shuffled_ends_in_the_same_counts(system: System) -> None:
    lines = list(event_lines())
    half = lines[: len(lines) // 2]
    random.Random(SEED + 1).shuffle(lines)
    await published(system, [*half, *lines])
    assert await differences(system, truth_after(len(lines))) == []
    assert await recount_differences(system) == []
