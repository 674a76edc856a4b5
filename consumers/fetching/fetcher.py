"""Fetches records of the partitions at hand, as aiokafka's fetcher does, and survives whatever the answers hold.

Errors in answers are sorted by the table of `consumers.kafka_errors`: the next poll raises one that no retry cures.
"""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, OffsetResetStrategy
from aiokafka.errors import (
    KafkaError,
    NoError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    UnknownTopicOrPartitionError,
    for_code,
)

from consumers.fetching.batches import Allowance, Batches, Shared
from consumers.fetching.large import beside_the_loop
from consumers.kafka_errors import remedy_of
from consumers.types import Note
from service.store.client.redis_errors import Remedy

log = structlog.get_logger()

POLL_BYTES = 64 * 1024 * 1024
"""Handed out in one poll, and one batch more: what a poll's records may take of this process."""

LOOK_S = 0.005
"""Pause between two looks whether a large batch was taken out, before the next one is prepared."""

SHORT_WAIT_MS = 10
"""Longest wait of brokers for records while a large batch is prepared: its partition is asked for only in the next
request."""

_NOWHERE = -2
"""A node that has a request under way for ever: what is to be fetched from there isn't asked for."""


class Ended(Exception):
    """A task of the client has ended by a fault of its own, and nothing comes any more: this process has to end."""


class CheckedFetcher(Fetcher):  # type: ignore[misc]  # aiokafka ships no types
    """One for a consumer; it is made with the settings that the client gave its own."""

    def __init__(self, *arguments: Any, largest_batch_bytes: int, note: Note | None, **more: Any) -> None:
        self._shared = Shared(Allowance(POLL_BYTES), largest_batch_bytes)
        self._aside: dict[TopicPartition, _Aside] = {}
        """What is prepared beside the event loop, or waits for that."""
        self._preparing: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._fault: BaseException | None = None
        self._note = note
        self._refused: dict[TopicPartition, str] = {}
        """By partition, the error with which it was refused last; taken away by the next answer."""
        super().__init__(*arguments, **more)
        self._in_flight.add(_NOWHERE)
        self._usual_wait_ms: int = more["fetch_max_wait_ms"]

    async def close(self) -> None:
        """As aiokafka's. What is under way in the thread is forgotten."""
        for preparing in self._preparing:
            preparing.cancel()
        await asyncio.gather(*self._preparing, return_exceptions=True)
        await super().close()

    def _get_actions_per_node(self, assignment: Any) -> Any:
        self._fetch_max_wait_ms = SHORT_WAIT_MS if self._preparing else self._usual_wait_ms
        return super()._get_actions_per_node(assignment)

    def _select_read_replica(self, tp: TopicPartition) -> Any:
        """As aiokafka's, but a partition is not fetched while its large batch is prepared."""
        aside = self._aside.get(tp)
        return _NOWHERE if aside is not None and aside.is_wanted() else super()._select_read_replica(tp)

    def begin_poll(self, held_bytes: int = 0) -> None:
        """Before records are handed out; the caller has `held_bytes` of earlier ones. Raises Ended."""
        if self._fetch_task.done() and not self._closed:
            raise Ended("the client fetches no more") from self._fetch_task.exception()
        if self._fault is not None:
            raise Ended("a large batch can't be read") from self._fault
        self._shared.allowance.left = POLL_BYTES - held_bytes
        for tp in [tp for tp in self._refused if not self._subscriptions.is_assigned(tp)]:
            self._answered(tp)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        """One request and its answer; whether there is something to hand out. As aiokafka's but for the records."""
        try:
            return await self._fetch(assignment, node_id, request)
        except (
            asyncio.CancelledError
        ):  # closed, or unassigned: who awaits this would take it for a cancellation of its own
            return False

    async def _fetch(self, assignment: Any, node_id: int, request: Any) -> bool:
        try:
            response = await self._client.send(node_id, request)
        except KafkaError as error:
            log.info("fetch failed", broker=node_id, error=repr(error))
            await asyncio.sleep(self._retry_backoff)
            return False
        if not assignment.active:
            return False
        asked = {
            TopicPartition(topic, partition): offset
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        wakes = refused = False
        for topic, partitions in response.topics:
            for partition, code, highwater, *rest in partitions:
                tp = TopicPartition(topic, partition)
                state = assignment.state_value(tp)
                if not state.has_valid_position or state.position != asked[tp]:  # somebody has sought meanwhile
                    continue
                refusal = for_code(code)
                if refusal is NoError:
                    answer = _Answer.of(response.API_VERSION, highwater, rest)
                    wakes |= self._take(tp, assignment, answer)
                else:
                    raised = self._refuse(tp, state, refusal)
                    wakes |= raised
                    refused |= not raised and state.has_valid_position  # what is sought anew doesn't wait
        if refused:
            await asyncio.sleep(self._retry_backoff)
        return wakes

    def _take(self, tp: TopicPartition, assignment: Any, answer: "_Answer") -> bool:
        self._answered(tp)
        state = assignment.state_value(tp)
        state.highwater, state.lso, state.timestamp = answer.highwater, answer.lso, int(1000 * time.time())
        if not answer.data:
            return False
        log_end = answer.highwater
        if self._isolation_level == READ_COMMITTED and answer.lso is not None and answer.lso >= 0:
            log_end = answer.lso
        where = (tp, answer.data, answer.aborted, state.position, log_end, self._isolation_level)
        records = Batches(*where, self._shared, partial(self._put_aside, tp, assignment))
        self._records[tp] = FetchResult(
            tp, partition_records=records, assignment=assignment, backoff=self._prefetch_backoff
        )
        return True

    def _put_aside(self, tp: TopicPartition, assignment: Any, batches: Batches) -> None:
        """They have come to a large batch."""
        aside = self._aside[tp] = _Aside(tp, assignment, batches.next_fetch_offset, batches)
        preparing = asyncio.create_task(self._prepare(aside))
        self._preparing.add(preparing)
        preparing.add_done_callback(self._is_prepared)

    async def _prepare(self, aside: "_Aside") -> None:
        """Has a large batch read beside the event loop and puts its records where they are taken out.

        One at a time, until it is taken out: each may take `largest_batch_bytes` and more.
        """
        tp, batches = aside.tp, aside.batches
        async with self._one_at_a_time:
            result = None
            if self._is_awaited(aside):
                await beside_the_loop(partial(batches.read_large, POLL_BYTES))
                if self._is_awaited(aside):
                    result = FetchResult(tp, partition_records=batches, assignment=aside.assignment, backoff=0)
                    self._records[tp] = result
            if self._aside.get(tp) is aside:
                del self._aside[tp]
            for waiter in [*self._fetch_waiters, self._wait_consume_future]:
                self._notify(waiter)
            while result is not None and batches.prepared and self._records.get(tp) is result:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)

    def _is_prepared(self, preparing: "asyncio.Task[None]") -> None:
        self._preparing.discard(preparing)
        if not preparing.cancelled():
            self._fault = self._fault or preparing.exception()

    def _is_awaited(self, aside: "_Aside") -> bool:
        return self._aside.get(aside.tp) is aside and aside.is_wanted()

    def _refuse(self, tp: TopicPartition, state: Any, error: type[KafkaError]) -> bool:
        """True where the next poll has to raise it."""
        self._refused[tp] = f"partition {tp.partition} is refused: {error.__name__}"
        self._tell(tp.topic)
        if error in (NotLeaderForPartitionError, UnknownTopicOrPartitionError):
            self._client.force_metadata_update()
        elif error is OffsetOutOfRangeError:
            if self._default_reset_strategy != OffsetResetStrategy.NONE:
                state.await_reset(self._default_reset_strategy)
                return False
            self._set_error(tp, OffsetOutOfRangeError({tp: state.position}))
            return True
        elif remedy_of(error()) is not Remedy.AGAIN:
            self._set_error(tp, error(f"{tp.topic}, partition {tp.partition}, at offset {state.position}"))
            return True
        log.warning("fetch refused, will try again", topic=tp.topic, partition=tp.partition, error=error.__name__)
        return False

    def _answered(self, tp: TopicPartition) -> None:
        if self._refused.pop(tp, None) is not None:
            self._tell(tp.topic)

    def _tell(self, topic: str) -> None:
        if self._note is not None:
            self._note(f"fetching {topic}", "; ".join(self._refused[tp] for tp in sorted(self._refused)))


class _Aside(NamedTuple):
    """An answer that has come to a large batch, and the offset up to which it was handed out."""

    tp: TopicPartition
    assignment: Any
    offset: int
    batches: Batches

    def is_wanted(self) -> bool:
        """Whether nobody has sought meanwhile, and the partition is still this consumer's."""
        if not self.assignment.active:
            return False
        state = self.assignment.state_value(self.tp)
        return bool(state.has_valid_position and state.position == self.offset)


class _Answer(NamedTuple):
    """What a broker says of one partition. `lso`: the end of what is committed, None from brokers without it."""

    highwater: int
    lso: int | None
    aborted: Sequence[tuple[int, int]] | None
    data: bytes

    @classmethod
    def of(cls, version: int, highwater: int, rest: Sequence[Any]) -> "_Answer":
        """By the layout of that version of the answer."""
        data = rest[-1] or b""
        if version < _WITH_TRANSACTIONS:
            return cls(highwater, None, None, data)
        return cls(highwater, rest[0], rest[2] if version >= _WITH_PREFERRED_REPLICA else rest[-2], data)


_WITH_TRANSACTIONS, _WITH_PREFERRED_REPLICA = 4, 11
"""Versions of the answer (Kafka 0.11, 2.4)."""
