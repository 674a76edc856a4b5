"""Reads the dead-letter topic to where it ends now. Outside of any group, and commits nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from aiokafka import TopicPartition

from consumers.dead_letters.letter import Origin, letter_in
from consumers.fetching.batches import Read
from consumers.fetching.reader import RecordReader
from consumers.kafka.clients import letters_reader
from consumers.kafka.closing import running
from consumers.kafka.topic_metadata import describe_topics
from consumers.publishing.acknowledgements import Acknowledged
from consumers.settings import ConsumerSettings


async def refused_of(
    settings: ConsumerSettings, since: Mapping[int, int], published: Acknowledged
) -> Mapping[str, int]:
    """Reason -> how many of the published records are dead letters for it, among the letters from `since` on.

    `since` is by partition. What was parked twice, after a crash, counts once. Raises LettersUnreadable, KafkaError.
    """
    reasons: dict[Origin, str] = {}
    async with aclosing(parked_records(settings, since)) as records:
        async for record in records:
            letter = letter_in(record)
            if letter is not None and letter.origin in published:
                reasons[letter.origin] = letter.reason
    return Counter(reasons.values())


POLL_MS = 500
"""Longest wait for records in one poll."""

SILENCE_S = 30.0
"""Longest wait without a single record before the end: a frozen broker answers polls with nothing, for ever."""

QUIET_MS = 1_000
"""Nothing comes for so long behind the end that brokers name: then it is the end."""

SEARCH_S = 30.0
"""Longest search for the end: letters may come faster than that."""


class LettersUnreadable(Exception):
    """The topic can't be read, or not to its end. The message says why."""


async def parked_records(
    settings: ConsumerSettings, since: Mapping[int, int] | None = None
) -> AsyncGenerator[Read, None]:
    """Every record that is in the topic at the time of the call, each partition in its order.

    `since` are offsets to begin at, by partition. Raises LettersUnreadable, and KafkaError.
    """
    async with _reading(settings) as (consumer, partitions):
        ends = await _ends(consumer, partitions)
        await consumer.seek_to_beginning(*partitions)
        for tp in partitions:
            if since is not None and tp.partition in since:
                consumer.seek(tp, since[tp.partition])
        async for record in _until(consumer, ends):
            yield record


async def named_ends(settings: ConsumerSettings) -> Mapping[int, int]:
    """Where brokers say that the topic ends, by partition: some name the last batch's start. Raises as above."""
    async with _reading(settings) as (consumer, partitions):
        return {tp.partition: end for tp, end in (await consumer.end_offsets(partitions)).items()}


async def _ends(consumer: RecordReader, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Where the partitions end: where nothing comes any more behind the ends that brokers name."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    for tp, end in ends.items():
        consumer.seek(tp, end)
    loop = asyncio.get_running_loop()
    until = loop.time() + SEARCH_S
    while await consumer.getmany(timeout_ms=QUIET_MS) and loop.time() < until:
        pass
    return {tp: await consumer.position(tp) for tp in partitions}


@asynccontextmanager
async def _reading(settings: ConsumerSettings) -> AsyncIterator[tuple[RecordReader, Sequence[TopicPartition]]]:
    topic = settings.dead_letter_topic
    described = (await describe_topics(settings.kafka, [topic])).get(topic)
    if described is None:
        raise LettersUnreadable(
            f"there is no topic {topic}: TICKET_COUNTS_DEAD_LETTER_TOPIC names another, or nothing ran"
        )
    async with running(letters_reader(settings)) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(described.partitions)]
        consumer.assign(partitions)
        yield consumer, partitions


async def _until(consumer: RecordReader, ends: dict[TopicPartition, int]) -> AsyncGenerator[Read, None]:
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    while True:
        behind = [tp for tp, end in ends.items() if await consumer.position(tp) < end]
        if not behind:
            return
        found = await consumer.getmany(*behind, timeout_ms=POLL_MS)
        if found:
            heard_at = loop.time()
        elif loop.time() - heard_at > SILENCE_S:
            raise LettersUnreadable(f"the broker is silent: {behind[0].topic} was not read to its end")
        for tp, records in found.items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
