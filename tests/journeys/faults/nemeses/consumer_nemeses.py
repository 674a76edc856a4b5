"""What happens to one of two consumers: killed, frozen, cut off from Redis or Kafka, joined by a third.

Judges nothing.
"""

import asyncio

from tests.journeys.faults.nemeses.nemesis import ASSIGNED, EXPECTED_ERRORS, SEEN_WITHIN_S, TIMED_OUT, Nemesis, Stage
from tests.journeys.programs.program import Program
from tests.servers.link import Link
from tests.support.waiting import wait_until

ALL = [0, 1, 2, 3]


async def killed(stage: Stage) -> None:
    """SIGKILL in the middle of a backlog, and started again. Seen: it is another process, and gets partitions."""
    _, victim, _ = stage.victim()
    await stage.run.load.burst(stage.choices.integer(100, 2_000))
    await stage.run.note(victim)
    before = victim.pid
    victim.kill()
    await stage.run.system.restart(victim)
    assert victim.pid != before
    await wait_until(lambda: victim.said(ASSIGNED), SEEN_WITHIN_S, "the restarted consumer to get partitions")


async def frozen(stage: Stage) -> None:
    """SIGSTOP until its session is over, and thawed. Seen: the other had all partitions, and then it has some again."""
    _, zombie, heir = stage.victim()
    await stage.run.load.burst(stage.choices.integer(100, 2_000))
    joined, inherited = await shared(zombie, heir)
    zombie.pause()
    try:
        await has_all(heir, inherited)
    finally:
        zombie.thaw()
    await assigned_again(zombie, joined)


async def redis_link_cut(stage: Stage) -> None:
    """Seen: connections were broken, and tries to come again refused."""
    name, _, _ = stage.victim()
    await cut(stage.ground.to_redis[name])


async def kafka_link_cut(stage: Stage) -> None:
    """Seen: as for Redis."""
    name, _, _ = stage.victim()
    await cut(stage.ground.to_kafka[name])


async def redis_link_black_holed(stage: Stage) -> None:
    """Until a call is given up; then it is carried out after all. Seen: the consumer says that it gave one up."""
    name, victim, _ = stage.victim()
    link, doubted = stage.ground.to_redis[name], victim.times_said(TIMED_OUT)
    link.black_hole()
    try:
        await wait_until(lambda: victim.times_said(TIMED_OUT) > doubted, SEEN_WITHIN_S, "a call to be given up")
    finally:
        link.heal()


async def kafka_link_black_holed(stage: Stage) -> None:
    """Until the session is over; then what was fetched before arrives at a zombie. Seen: as for a frozen consumer."""
    name, zombie, heir = stage.victim()
    link = stage.ground.to_kafka[name]
    await stage.run.load.burst(stage.choices.integer(100, 2_000))
    joined, inherited = await shared(zombie, heir)
    link.black_hole()
    try:
        await has_all(heir, inherited)
    finally:
        link.heal()
    await assigned_again(zombie, joined)


async def joined_and_left(stage: Stage) -> None:
    """A third one comes and goes. Seen: it had partitions, and afterwards the two share all."""
    ground = stage.ground
    third = await stage.run.system.start_consumer(REDIS=ground.redis_url("third"))
    await wait_until(lambda: last_assigned(third), SEEN_WITHIN_S, "the third consumer to get partitions")
    await stage.run.load.burst(stage.choices.integer(100, 2_000))
    await stage.run.note(third)
    await asyncio.to_thread(third.terminate, expected_errors=EXPECTED_ERRORS)
    await wait_until(lambda: all_shared(*stage.pair), SEEN_WITHIN_S, "the two to share all partitions again")


async def cut(link: Link) -> None:
    """Cuts a link until somebody has tried to come again."""
    broken, refused = link.broken, link.refused
    link.cut()
    try:
        await wait_until(lambda: link.refused > refused, SEEN_WITHIN_S, "a try to come by a link that is cut")
    finally:
        link.heal()
    assert link.broken > broken, "there was no connection to cut"


async def shared(*consumers: Program) -> tuple[int, ...]:
    """How often each was assigned partitions, once they share all."""
    await wait_until(lambda: all_shared(*consumers), SEEN_WITHIN_S, "the two to share all partitions")
    return tuple(consumer.times_said(ASSIGNED) for consumer in consumers)


async def has_all(consumer: Program, before: int) -> None:
    """Returns once this one was given all partitions, after it had been given some so often."""

    def inherited() -> bool:
        return consumer.times_said(ASSIGNED) > before and last_assigned(consumer) == ALL

    await wait_until(inherited, SEEN_WITHIN_S, f"{consumer.name} to have all partitions")


async def assigned_again(consumer: Program, before: int) -> None:
    """Returns once partitions were assigned to it more often than `before`."""
    await wait_until(
        lambda: consumer.times_said(ASSIGNED) > before, SEEN_WITHIN_S, f"{consumer.name} to be assigned partitions"
    )


def all_shared(*programs: Program) -> bool:
    """Whether each partition was given last to one of them, and each of them has one."""
    given = [last_assigned(program) for program in programs]
    return all(given) and sorted(partition for partitions in given for partition in partitions) == ALL


def last_assigned(program: Program) -> list[int]:
    """The partitions that it was given last, since its latest start."""
    given = [line["partitions"] for line in program.events() if line.get("event") == ASSIGNED]
    return list(given[-1]) if given else []


CONSUMERS: tuple[Nemesis, ...] = tuple(
    Nemesis(name, strike, needs_consumers=True)
    for name, strike in (
        ("consumer killed", killed),
        ("consumer frozen", frozen),
        ("consumer cut from Redis", redis_link_cut),
        ("consumer black-holed from Redis", redis_link_black_holed),
        ("consumer cut from Kafka", kafka_link_cut),
        ("consumer black-holed from Kafka", kafka_link_black_holed),
        ("consumer added and removed", joined_and_left),
    )
)
REBALANCING = frozenset(
    ("consumer killed", "consumer frozen", "consumer black-holed from Kafka", "consumer added and removed")
)
"""Those after which partitions are shared anew."""
