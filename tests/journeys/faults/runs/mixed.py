"""One run of mixed faults: the system on servers behind links, lanes of nemeses at once, one row of the table."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.journeys.faults.nemeses.consumer_nemeses import CONSUMERS, REBALANCING
from tests.journeys.faults.nemeses.edge_nemeses import EDGES, UNREACHABLE
from tests.journeys.faults.nemeses.nemesis import ASSIGNED, EXPECTED_ERRORS, REWOUND, Lane, Stage, strike_by_turns
from tests.journeys.faults.nemeses.store_nemeses import REWINDING, STORE
from tests.journeys.faults.runs import load
from tests.journeys.faults.runs.ground import Ground, linked_broker, redis_ground
from tests.journeys.faults.runs.run import REFUSALS, FaultRun, Manner, fault_run
from tests.journeys.faults.runs.table import Row
from tests.journeys.programs.system import System
from tests.servers.kafka.topics import new_topics
from tests.servers.ports import free_port

TENANTS = 8
SESSION_S = 2.0
PATIENCE_S = 2.0
"""A producer that isn't told of success for so long sends again."""

REST_S = 120.0
FEWEST_KINDS = 4
PROBLEM_CHARACTERS = 300
LANES = (Lane(STORE, 1, 2_500), Lane(CONSUMERS, 2, 1_500), Lane(EDGES, 1, 6_000))
"""Beside each other."""


async def mixed_run(row: Row, seed: int, seconds: float, directory: Path, jars: Path, redis_binary: Path) -> None:
    """Runs and judges it; fills the row as far as it comes. Fails where anything is wrong or hasn't fired."""
    async with redis_ground(directory, redis_binary) as ground, linked_broker(ground, jars) as broker:
        manner = Manner(
            load.timed(TENANTS, seconds),
            timed=True,
            start=started_on(ground),
            publishers=ground.kafka("publisher"),
            patience_s=PATIENCE_S,
            refusals=REFUSALS | UNREACHABLE,
            rest_s=REST_S,
        )
        await struck(row, ground, broker.bootstrap, manner, LANES, seed, seconds)
    expect(row)


async def struck(
    row: Row, ground: Ground, kafka: str, manner: Manner, lanes: Sequence[Lane], seed: int, seconds: float
) -> None:
    """A run with these lanes; fills the row as far as it comes."""
    run: FaultRun | None = None
    stage: Stage | None = None
    try:
        async with fault_run(
            kafka,
            ground.redis_url("third"),
            new_topics(),
            ground.directory,
            seed=seed,
            session_s=SESSION_S,
            expected_errors=EXPECTED_ERRORS,
            manner=manner,
        ) as run:
            stage = Stage(run, ground, seed)
            began = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                for lane in lanes:
                    tasks.create_task(strike_by_turns(stage, lane, seed, seconds))
            print(f"{time.monotonic() - began:.0f} s of faults: {stage.fired}")
            for consumer in run.system.consumers:
                if consumer.running:
                    await run.note(consumer)
    except Exception as error:
        row.problem = first_line(error)
        raise
    finally:
        if run is not None and stage is not None:
            row.fired = stage.fired
            row.assignments, row.rewinds = stage.times_said(ASSIGNED), stage.times_said(REWOUND)
            row.conflicts, row.events = run.metrics["conflicts_total"], run.metrics["events_total"]
            row.figures = run.figures


def first_line(error: BaseException) -> str:
    """The beginning of what an error says, or the first of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:PROBLEM_CHARACTERS]}"


def expect(row: Row) -> None:
    """Fails unless what the run's faults do has been seen in it."""
    fired, figures = row.fired, row.figures
    assert len(fired) >= FEWEST_KINDS, fired
    assert row.rewinds >= sum(fired[name] for name in REWINDING), "fewer rewinds than losses"
    assert row.assignments >= 2 + sum(fired[name] for name in REBALANCING), "fewer assignments than rebalances"
    if fired["records repeated and shuffled"]:
        assert figures.duplicates >= 1
    if fired["acknowledgements lost"]:
        assert figures.doubled >= 1, "nothing was sent again for want of an acknowledgement"


def started_on(ground: Ground, kafka: str = "") -> Callable[[System], Awaitable[None]]:
    """How a system starts whose two consumers and service have links of their own; to `kafka` none, if it is given."""

    async def start(system: System) -> None:
        for who in ("first", "second"):
            await system.start_consumer(KAFKA=kafka or ground.kafka(who), REDIS=ground.redis_url(who))
        await system.start_service(PORT=free_port(), REDIS=ground.redis_url("service"))

    return start


def schedules(seeds: Sequence[int]) -> Counter[str]:
    """How often each nemesis comes at least, in runs with these seeds, however short they are."""
    return Counter(nemesis.name for seed in seeds for lane in LANES for nemesis in lane.ordered(seed)[: lane.least])
