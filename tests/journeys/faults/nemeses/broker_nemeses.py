"""What happens to three brokers that each hold everything: one is killed, while it leads. Judges nothing."""

import asyncio
from collections.abc import Mapping

from aiokafka.structs import PartitionMetadata

from tests.journeys.faults.nemeses.nemesis import SEEN_WITHIN_S, Nemesis, Stage
from tests.journeys.programs import topic_log
from tests.servers.kafka.kafka_broker import KafkaCluster
from tests.support.waiting import wait_until

LED_S = 1.0
"""How long the others go on without it at least."""


def broker_nemeses(cluster: KafkaCluster) -> tuple[Nemesis, ...]:
    """Those of these brokers."""

    async def killed(stage: Stage) -> None:
        """The leader of one of the partitions, under a backlog, and started again once it is out of step.

        Seen: another broker leads the partition, and in the end all three are in step again.
        """
        topic, partition = stage.run.system.topics.events, stage.choices.integer(0, 3)
        leader = (await partitions(cluster.bootstrap, topic))[partition].leader
        broker = next(one for one in cluster.brokers if one.node.id == leader)
        await stage.run.load.burst(stage.choices.integer(100, 2_000))
        broker.kill()

        async def led_by_another() -> bool:
            return (await partitions(cluster.bootstrap, topic))[partition].leader not in (leader, -1)

        async def in_step() -> bool:
            found = await partitions(cluster.bootstrap, topic)
            return all(len(one.isr) == len(cluster.brokers) for one in found.values())

        await wait_until(led_by_another, SEEN_WITHIN_S, "another broker to lead")
        await asyncio.sleep(LED_S)
        await asyncio.to_thread(broker.start)
        await wait_until(in_step, SEEN_WITHIN_S, "all brokers to be in step again")

    return (Nemesis("broker killed", killed),)


async def partitions(kafka: str, topic: str) -> Mapping[int, PartitionMetadata]:
    """The topic's partitions as some broker sees them now."""
    async with topic_log.opened(kafka) as client:
        cluster = await client._client.fetch_all_metadata()
        found: Mapping[int, PartitionMetadata] = cluster._partitions[topic]
        return found
