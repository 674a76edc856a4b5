"""Batches of any bytes into a topic, by a produce request of our own. Knows nothing of the product."""

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.produce import ProduceRequest

TIMEOUT_MS = 20_000


async def send_raw(kafka: str, topic: str, partition: int, batch: bytes) -> int:
    """Its base offset. Raises the broker's error where it refuses the batch."""
    client = AIOKafkaClient(bootstrap_servers=kafka)
    await client.bootstrap()
    try:
        await client.set_topics([topic])
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        assert leader is not None
        request = ProduceRequest(
            transactional_id=None, required_acks=-1, timeout=TIMEOUT_MS, topics=[(topic, [(partition, batch)])]
        )
        response = await client.send(leader, request)
    finally:
        await client.close()
    ((_, ((_, code, offset, *_),)),) = response.topics
    error = for_code(code)
    if error is not NoError:
        raise error(topic)
    return int(offset)
