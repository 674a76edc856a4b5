"""What happens at the edges: the service killed, records sent again and out of order, acknowledgements lost.

Judges nothing.
"""

from tests.journeys.faults.nemeses.nemesis import SEEN_WITHIN_S, Nemesis, Stage
from tests.support.waiting import wait_until

REPEATED, SHUFFLED = 200, 300
UNREACHABLE = frozenset({"ConnectError", "ReadError", "RemoteProtocolError"})
"""What a client finds where there is no service."""


async def service_killed(stage: Stage) -> None:
    """SIGKILL, and started again. Seen: a client found nobody there."""
    service, refusals = stage.run.system.service, stage.run.watch.refusals
    assert service is not None
    before = sum(refusals[kind] for kind in UNREACHABLE)
    service.kill()
    await wait_until(
        lambda: sum(refusals[kind] for kind in UNREACHABLE) > before, SEEN_WITHIN_S, "a client to find no service"
    )
    await stage.run.system.restart_service()


async def repeated_and_shuffled(stage: Stage) -> None:
    """Records sent again as they were, and whole-ticket events out of their order. Seen: the topic has them."""
    load, publisher = stage.run.load, stage.run.load.publisher
    repeated, shuffled = publisher.repeated, load.shuffled
    await publisher.repeat(stage.choices, REPEATED)
    await load.shuffle(SHUFFLED)
    await load.flush()
    assert publisher.repeated > repeated
    assert load.shuffled > shuffled


async def acknowledgements_lost(stage: Stage) -> None:
    """The broker takes what is sent and the producer never hears of it: it sends all of that again.

    Seen: the producer gave up waiting; when the run is judged, the topic has to have more records than were meant.
    """
    link, publisher = stage.ground.to_kafka["publisher"], stage.run.load.publisher
    doubted = publisher.doubted
    link.swallow_answers()
    try:
        await wait_until(lambda: publisher.doubted > doubted, SEEN_WITHIN_S, "a producer to give up waiting")
    finally:
        link.heal()
    await publisher.flush()


EDGES: tuple[Nemesis, ...] = (
    Nemesis("service killed", service_killed),
    Nemesis("records repeated and shuffled", repeated_and_shuffled),
    Nemesis("acknowledgements lost", acknowledgements_lost),
)
