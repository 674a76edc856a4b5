"""One scrape is all workers: sums, and what a worker that ended, hangs or was started again leaves of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import Metric

from service.web.ops import shared_metrics
from service.web.ops.merged_metrics import GAUGES, dump_metrics, load_metrics, merge_metrics
from service.web.ops.metrics import HttpMetrics
from service.web.ops.shared_metrics import SharedMetrics
from service.web.push.tally import StreamTally


class Worker:
    """One of the group, with a metric of each kind."""

    def __init__(self, folder: Path, number: int) -> None:
        self.shared = SharedMetrics(folder, number)
        self.asked = Counter("asked", "Requests.", ("path",), registry=self.shared.registry)
        self.took = Histogram("took_seconds", "Times.", buckets=(1.0,), registry=self.shared.registry)
        self.open = Gauge("ticket_counts_streams_open", "Open now.", registry=self.shared.registry)
        self.newest = Gauge("newest_seconds", "When something happened last.", registry=self.shared.registry)

    async def value(self, name: str, **labels: str) -> float:
        """As a scrape of this worker says it."""
        samples = [sample for family in await self.shared.collect() for sample in family.samples]
        (value,) = (sample.value for sample in samples if sample.name == name and sample.labels == labels)
        return value


@asynccontextmanager
async def workers(folder: Path, count: int) -> AsyncIterator[list[Worker]]:
    group = [Worker(folder, number) for number in range(count)]
    async with asyncio.TaskGroup() as running:
        end, begun = asyncio.Event(), asyncio.Barrier(count + 1)

        async def run(worker: Worker) -> None:
            async with worker.shared.running():
                await begun.wait()
                await end.wait()

        for worker in group:
            running.create_task(run(worker))
        await begun.wait()
        yield group
        end.set()


async def test_whoever_is_asked_says_what_all_have_counted_until_now(tmp_path: Path) -> None:
    async with workers(tmp_path, 3) as group:
        for number, worker in enumerate(group):
            worker.asked.labels("/a").inc(10**number)
            worker.asked.labels(f"/{number}").inc()
            worker.took.observe(number)
            worker.open.set(number)
            worker.newest.set(100 - number)
        for worker in group:
            assert await worker.value("asked_total", path="/a") == 111
            assert await worker.value("asked_total", path="/1") == 1
            assert await worker.value("took_seconds_bucket", le="1.0") == 2
            assert await worker.value("took_seconds_count") == 3
            assert await worker.value("took_seconds_sum") == 3
            assert await worker.value("ticket_counts_streams_open") == 3
            assert await worker.value("newest_seconds") == 100


async def test_a_worker_that_is_started_again_resets_nothing(tmp_path: Path) -> None:
    async with workers(tmp_path, 1) as [stays]:
        for life in range(1, 4):
            again = Worker(tmp_path, 1)
            async with again.shared.running():
                again.asked.labels("/a").inc()
                again.open.set(5)
                assert await stays.value("asked_total", path="/a") == life
                assert await again.value("asked_total", path="/a") == life
                assert await again.value("ticket_counts_streams_open") == 5
            assert await stays.value("asked_total", path="/a") == life, "what it counted stays when it has ended"
            assert await stays.value("ticket_counts_streams_open") == 0, "what it had open does not"


async def test_one_that_answers_a_scrape_says_no_less_when_it_hangs_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_metrics, "ANSWER_S", 0.05)
    async with workers(tmp_path, 2) as [well, hangs]:
        hangs.asked.labels("/a").inc(7)
        assert await hangs.value("asked_total", path="/a") == 7
        async with hangs.shared._writing:
            assert await well.value("asked_total", path="/a") == 7


async def test_one_that_hangs_counts_with_what_it_said_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_metrics, "ANSWER_S", 0.05)
    async with workers(tmp_path, 2) as [well, hangs]:
        hangs.asked.labels("/a").inc(7)
        hangs.open.set(5)
        assert await well.value("asked_total", path="/a") == 7
        async with hangs.shared._writing:  # its event loop does other things
            hangs.asked.labels("/a").inc()
            well.asked.labels("/a").inc()
            assert await well.value("asked_total", path="/a") == 8
            assert await well.value("ticket_counts_streams_open") == 5
        assert await well.value("asked_total", path="/a") == 9


async def test_it_is_said_of_each_gauge_how_two_become_one() -> None:
    families: list[Metric] = [*HttpMetrics(StreamTally()).registry.collect()]
    assert {family.name for family in families if family.type == "gauge"} == GAUGES.keys()


async def test_a_dump_says_what_was_collected() -> None:
    metrics = HttpMetrics(StreamTally())
    metrics.answered("/healthz", "GET", 200, 0.5)
    families = [*metrics.registry.collect()]
    for again in (load_metrics(dump_metrics(families)), merge_metrics([families])):
        assert [(each.name, each.type, each.documentation) for each in again] == [
            (each.name, each.type, each.documentation) for each in families
        ]
        found = [(s.name, dict(s.labels), s.value) for each in again for s in each.samples]
        assert found == [(s.name, dict(s.labels), s.value) for each in families for s in each.samples]
