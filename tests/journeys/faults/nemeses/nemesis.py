"""What a nemesis is, and which of them come when: lanes beside each other, in each one after another, by the seed.

A nemesis makes one thing happen, sees that it has happened, and takes it back. Never judges a count.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from tests.journeys.faults.runs.ground import Ground
from tests.journeys.faults.runs.run import FaultRun
from tests.journeys.programs.program import Program
from tests.oracle.generated.choices import Choices, SeededChoices

SEEN_WITHIN_S = 90.0
"""Longest wait for a fault to show: what else goes wrong at the same time may hide it for a while."""

REWOUND = "the store lost acknowledged writes"
ASSIGNED = "partitions assigned"
TIMED_OUT = "no answer within"
EXPECTED_ERRORS = (REWOUND, '"logger": "aiokafka')
"""Parts of error lines: our own say that Redis went back, and the Kafka client calls every lost connection an error."""


class Stage:
    """What nemeses have at hand."""

    def __init__(self, run: FaultRun, ground: Ground, seed: int) -> None:
        self.run, self.ground = run, ground
        self.choices: Choices = SeededChoices(seed)
        self.consumers = asyncio.Lock()
        """Whoever does something to a consumer or to its links holds it, or whoever needs them all well."""
        self.fired: Counter[str] = Counter()

    @property
    def pair(self) -> tuple[Program, Program]:
        """The two consumers that are there from the start."""
        first, second = self.run.system.consumers[:2]
        return first, second

    def victim(self) -> tuple[str, Program, Program]:
        """One of the two: whose links it has, the program, and the other one."""
        name = self.choices.pick(("first", "second"))
        first, second = self.pair
        return (name, first, second) if name == "first" else (name, second, first)

    def times_said(self, text: str) -> int:
        """In how many lines all consumers have said this, since the run began."""
        return sum(program.times_said(text) for program in self.run.system.consumers)


@dataclass(frozen=True, slots=True)
class Nemesis:
    """One kind of fault. `strike` returns when it was seen to have happened and is over; AssertionError otherwise."""

    name: str
    strike: Callable[[Stage], Awaitable[None]]
    needs_consumers: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """Nemeses that come one after another."""

    nemeses: Sequence[Nemesis]
    least: int
    """How many a run has of them, however short it is."""

    most_pause_ms: int
    """Between two of them; while nothing is broken, snapshots are taken much faster."""

    def ordered(self, seed: int) -> list[Nemesis]:
        """As they come in a run: each seed begins with the next one, the others follow in any order."""
        first = self.nemeses[seed % len(self.nemeses)]
        others = [nemesis for nemesis in self.nemeses if nemesis is not first]
        return [first, *SeededChoices(seed).shuffled(others)]


async def strike_by_turns(stage: Stage, lane: Lane, seed: int, seconds: float) -> None:
    """Strikes with one after another, from the start again after the last, until the time is over."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    order, pauses = lane.ordered(seed), SeededChoices(seed)
    struck = 0
    while struck < lane.least or loop.time() < ends:
        await asyncio.sleep(pauses.integer(0, lane.most_pause_ms) / 1000)
        nemesis = order[struck % len(order)]
        async with AsyncExitStack() as held:
            if nemesis.needs_consumers:
                await held.enter_async_context(stage.consumers)
            await nemesis.strike(stage)
        stage.fired[nemesis.name] += 1
        print(f"{loop.time() - ends + seconds:6.1f} s {nemesis.name}")
        struck += 1
