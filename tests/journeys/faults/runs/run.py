"""One fault run: a system under load, watched, and judged once it has come to rest. Does no fault itself."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import ConsumerRecord

from tests.journeys.faults.runs import load
from tests.journeys.faults.runs.judge import Judge, impossible
from tests.journeys.faults.runs.load import Load
from tests.journeys.faults.runs.watch import Watch
from tests.journeys.programs import sending, topic_log
from tests.journeys.programs.asking import Question, Snapshot, admin, realm
from tests.journeys.programs.program import Program
from tests.journeys.programs.system import System, running_system
from tests.oracle.generated.random_tickets import Shape
from tests.oracle.generated.worlds import REALM
from tests.servers.kafka.topics import Topics
from tests.support.waiting import wait_until

TENANTS = 4
BUCKETS = 16
EDIT_EVERY_S = 1.0
REST_S = 40.0
"""Time to come to rest after the last fault: a session, a rebalance, and what has piled up meanwhile."""

MOVES_WITHIN_S = 30.0
BACKLOG = 3_000
"""Records at once: half a second's work, so that a fault that comes now comes in the middle of something."""

BACKLOG_WITHIN_S = 120.0
"""Where all of one is applied while it is still being sent, it takes another."""

FEWEST_POSITIONS = 10
SEEN_WITHIN_S = 120.0
"""Time for the watch to see so many, whatever the machine does beside."""
MOST_SHOWN = 5
"""Of the answers that are wrong, in the report of a failed run: those that follow are mostly the same fault."""

REFUSALS = frozenset({"COUNTS_UNAVAILABLE", "COUNTS_WARMING"})
"""What the service may say instead of a snapshot."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is set up."""

    shapes: list[Shape] = field(default_factory=lambda: load.plain(TENANTS))
    """Of the tenants."""

    timed: bool = False
    """Whether time alone changes some of the counts."""

    start: Callable[[System], Awaitable[None]] = System.start
    publishers: str = ""
    """Brokers that the load's producer asks, if not the system's."""

    patience_s: float = sending.PATIENCE_S
    """Of the load's producer."""

    refusals: frozenset[str] = REFUSALS
    rest_s: float = REST_S


USUAL = Manner()


@dataclass(slots=True)
class Figures:
    """What was found when a run was judged."""

    snapshots: int = 0
    positions: int = 0
    records: int = 0
    dead_letters: int = 0
    differences: int = 0
    duplicates: int = 0
    """Records that the log has once more, to the byte."""

    doubled: int = 0
    """Of them those that a producer sent again because it wasn't told that it had succeeded."""


class FaultRun:
    """What a fault test has at hand. Made by `fault_run`, which judges it at its end."""

    def __init__(self, system: System, load: Load, watch: Watch, manner: Manner = USUAL) -> None:
        self.system, self.load, self.watch = system, load, watch
        self._manner = manner
        self.metrics: Counter[str] = Counter()
        """Of consumers that were ended on purpose: what they had counted by then."""
        self.figures = Figures()

    @property
    def first(self) -> Program:
        """The consumer that is there from the start."""
        return self.system.consumers[0]

    async def moving(self, program: Program, events: int = 20) -> None:
        """Returns once this consumer has looked at so many events since its start."""

        async def moved() -> bool:
            self.system.check()
            return await asyncio.to_thread(program.metric, "events_total") >= events

        await wait_until(moved, MOVES_WITHIN_S, f"{program.name} to apply events")

    async def backlog(self) -> None:
        """Sends backlogs until a consumer is in the middle of one."""

        async def under_way() -> bool:
            await self.load.burst(BACKLOG)
            await self.load.flush()
            return not (await self.snapshot()).reaches(await self.system.ends())

        await wait_until(under_way, BACKLOG_WITHIN_S, "a backlog of which something is left to do")

    async def seen_moving(self) -> None:
        """Returns once the watch has seen enough different positions for a run to be worth judging."""
        await wait_until(lambda: len(self._places()) >= FEWEST_POSITIONS, SEEN_WITHIN_S, "counts that move")

    def _places(self) -> set[tuple[tuple[int, int], ...]]:
        return {tuple(sorted(snapshot.positions.items())) for snapshot in self.watch.snapshots}

    async def snapshot(self, tenant: int = 0) -> Snapshot:
        """What an administrator sees of that tenant now."""
        return await self.system.ask.count(Question(self.load.tenants[tenant].name, admin()))

    async def note(self, program: Program) -> None:
        """Keeps what this consumer has counted: it is about to be ended."""
        for name in ("conflicts_total", "events_total"):
            self.metrics[name] += int(await asyncio.to_thread(program.metric, name))

    async def settled(self, within_s: float | None = None) -> None:
        """Returns once all that is in the log now is applied, for every tenant."""
        await self.load.flush()
        ends = await self.system.ends()
        for tenant in self.load.tenants:
            await self.system.reached(Question(tenant.name, admin()), ends, within_s=within_s or self._manner.rest_s)

    async def up_to_date(self) -> None:
        """Returns once the newest entries are in force, for every tenant: no backfill was forgotten."""
        records = await topic_log.read(self.system.kafka, self.system.topics.catalogue)
        for tenant in self.load.tenants:
            newest = max(record.offset for record in records if tenant.name in record.key.decode().split("/"))

            async def in_force(tenant: str = tenant.name, newest: int = newest) -> bool:
                snapshot = await self.system.asked(Question(tenant, admin()))
                return snapshot is not None and snapshot.catalogue >= newest

            await wait_until(
                in_force, self._manner.rest_s, f"catalogue record {newest} to be in force for {tenant.name}"
            )

    async def watched(self, snapshots: int) -> None:
        """Returns after so many more snapshots."""
        enough = len(self.watch.snapshots) + snapshots
        await wait_until(lambda: len(self.watch.snapshots) >= enough, MOVES_WITHIN_S, f"{snapshots} snapshots")

    async def edit(self, stop: asyncio.Event) -> None:
        """Edits an entry now and then until `stop` is set; what was begun is finished."""
        while not stop.is_set():
            await self.system.publish(self.load.edited())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EDIT_EVERY_S)

    async def judged(self) -> None:
        """Fails unless every snapshot, those at rest included, is what a recount of the log says at its position."""
        log = topic_log.as_log(await topic_log.read(self.system.kafka, self.system.topics.events))
        catalogue = await topic_log.read(self.system.kafka, self.system.topics.catalogue)
        letters = await topic_log.read(self.system.kafka, self.system.topics.dead_letters)
        judge = Judge(log, [(one.offset, one.key, one.value) for one in catalogue], timed=self._manner.timed)
        snapshots = self.watch.snapshots
        places = self._places()
        assert len(places) >= FEWEST_POSITIONS, "hardly anything moved while it was watched"
        # A thread: links to servers are carried by this loop, and whoever is behind one is not to miss it.
        wrong = await asyncio.to_thread(judge.differences, snapshots)
        duplicates = len(log) - len({(one.key, one.value, one.headers) for one in log})
        doubled = len(log) - self.load.publisher.sent
        self.figures = Figures(len(snapshots), len(places), len(log), len(letters), len(wrong), duplicates, doubled)
        print(self.figures)
        shown = "\n".join(wrong[:MOST_SHOWN])
        assert not wrong, f"{len(wrong)} of {len(snapshots)} snapshots differ from the recount, the first:\n{shown}"
        assert not impossible(snapshots)
        parked = {_place(letter) for letter in letters}
        bad = {(self.system.topics.events, *place) for place in judge.dead_letters}
        assert not bad - parked, "bad records that are no dead letters"
        assert not parked - bad, "dead letters that are good records"
        assert self.watch.refusals.keys() <= self._manner.refusals, self.watch.refusals


def _place(letter: ConsumerRecord) -> tuple[str, int, int]:
    """Topic, partition and offset of the record that a dead letter is about."""
    headers = {name: value.decode() for name, value in letter.headers if name in ("topic", "partition", "offset")}
    return headers["topic"], int(headers["partition"]), int(headers["offset"])


@asynccontextmanager
async def fault_run(
    kafka: str,
    redis: str,
    topics: Topics,
    directory: Path,
    *,
    seed: int,
    session_s: float,
    expected_errors: Collection[str] = (),
    manner: Manner = USUAL,
) -> AsyncIterator[FaultRun]:
    """A run under load. When the body is done, it comes to rest, is judged, and everything goes on SIGTERM."""
    async with (
        running_system(
            kafka, redis, topics, directory, realm=REALM, SESSION_TIMEOUT_S=session_s, BUCKETS=BUCKETS
        ) as system,
        sending.opened(manner.publishers or kafka, manner.patience_s) as producer,
        load.opened(producer, topics.events, seed, manner.shapes) as loading,
    ):
        await system.publish(realm(REALM), *loading.entries)
        await manner.start(system)
        watch = Watch(system.ask, [tenant.questions for tenant in loading.tenants])
        run = FaultRun(system, loading, watch, manner)
        async with asyncio.TaskGroup() as tasks:
            stop = asyncio.Event()
            editing = tasks.create_task(run.edit(stop))
            background = [tasks.create_task(loading.run()), tasks.create_task(watch.run())]
            await run.moving(run.first)
            yield run
            await run.seen_moving()
            stop.set()
            await editing
            background[0].cancel()
            await run.settled()
            await run.up_to_date()
            background[1].cancel()
        for tenant in loading.tenants:
            for question in tenant.questions:
                await watch.take(question)
        await run.judged()
        await system.stop(expected_errors=expected_errors)
