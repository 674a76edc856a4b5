"""What a broker has answered for one partition, batch by batch, as records: each offset once, whatever the bytes are.

Takes the place of aiokafka's `PartitionRecords`, which raises at the first byte that it doesn't expect, at every try.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from consumers.fetching.flawed import FlawedRecord
from consumers.fetching.large import LARGE_BYTES
from consumers.fetching.parsing import MOST_HEADERS, Malformed, lengths, parsed
from consumers.fetching.unpacking import TooLarge, Unpackable, unpacked

Read: TypeAlias = ConsumerRecord | FlawedRecord

_BASE_OFFSET, _INT32, _INT16 = struct.Struct(">q"), struct.Struct(">i"), struct.Struct(">h")
_LENGTH_AT, _FRAME_BYTES, _MAGIC_AT = 8, 12, 16
"""Alike in all versions of the format."""
_ATTRIBUTES_AT, _LAST_DELTA_AT, _COUNT_AT, _RECORDS_AT = 21, 23, 57, 61
"""Of version 2."""
_CODEC, _LOG_APPEND_TIME = 0x07, 0x08
_SMALLEST_LENGTH = 14
"""Of a message of version 0 without key and value."""
NEWEST_MAGIC = 2
LAST_OFFSET = 2**63 - 1

CAREFULLY_FROM_BYTES = 64 * 1024
"""A batch with a record as large as this is parsed with an eye on headers: in fewer bytes there are too few to harm."""

MOST_RECORDS = 10_000
"""Most records of a batch that is read in the event loop: finding where each ends takes a microsecond."""

RECORD_COST, HEADER_COST = 300, 130
"""Bytes that a record and a header take in this process beside their own."""

TRIES = 3
"""Times that a damaged batch is fetched before it is believed to be so in the log: the first may be the network's."""


class Allowance(msgspec.Struct):
    """Bytes that may still be handed out in one poll, over all partitions."""

    left: int


class Damaged(msgspec.Struct):
    """The damaged batch that a partition is at, and how often it was fetched."""

    offset: int
    tries: int = 0


class Shared(msgspec.Struct):
    """What the answers of one consumer share."""

    allowance: Allowance
    largest_batch_bytes: int
    damaged: dict[TopicPartition, Damaged] = {}


class Batches(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """Iterates over the records of one answer; `next_fetch_offset` always is the offset after the last one given.

    It may end early: what is left is fetched again from there. Where it is put aside, it ends before a large batch, and
    goes on with that after `read_large`. Raises CorruptRecordException where the log can't be stepped over, because not
    even the lengths of its batches are right.
    """

    next_fetch_offset: int
    _records_iterator: Iterator[Read] | None
    prepared: deque[Read]
    """Records of a large batch, to be handed out next."""

    def __init__(
        self,
        tp: TopicPartition,
        data: bytes,
        aborted: Sequence[tuple[int, int]] | None,
        fetch_offset: int,
        log_end: int,
        isolation_level: int,
        shared: Shared,
        put_aside: "Callable[[Batches], None] | None" = None,
    ) -> None:
        """`log_end`: the offset up to which the broker gives records out by now. `put_aside` is called before a large
        batch; None: large ones are read where others are."""
        self._data = memoryview(data)
        self._log_end = log_end
        self._shared = shared
        self._allowance = shared.allowance
        self._put_aside = put_aside
        self._at = 0
        self._ends_early = False
        self.prepared = deque()
        super().__init__(tp, None, aborted, fetch_offset, None, None, True, isolation_level)

    def __iter__(self) -> Iterator[Read]:
        return self._records_iterator or iter(())  # itself: spares a call of Python's for each record

    def _unpack_records(self) -> Iterator[Read]:
        while self._allowance.left > 0 and (end := self._end_of_batch(self._at)) is not None:
            raw = self._data[self._at : end]
            if self._put_aside is not None and _is_large(raw):
                self._put_aside(self)
                return
            yield from self._of_batch(raw, self._base_offset(end))
            if self._ends_early:
                return
            self._at = end

    def read_large(self, most_bytes: int) -> None:
        """Reads the batch before which it ended, in any thread. It goes on with its records, and those after them.

        What takes more than `most_bytes` is fetched again. Nobody else may use it meanwhile.
        """
        first, put_aside, allowance = self.next_fetch_offset, self._put_aside, self._allowance
        self._ends_early, self._put_aside, self._allowance = False, None, Allowance(most_bytes)
        end = self._end_of_batch(self._at) or len(self._data)
        self.prepared.extend(self._of_batch(self._data[self._at : end], self._base_offset(end)))
        self._at = end
        cost = most_bytes - self._allowance.left
        self._records_iterator = self._resumed(self.next_fetch_offset, cost)
        self.next_fetch_offset, self._put_aside, self._allowance = first, put_aside, allowance

    def _resumed(self, end: int, cost: int) -> Iterator[Read]:
        """`end`: the offset after what is prepared. `cost`: bytes that it takes, of the poll that takes the first."""
        self._allowance.left -= cost
        while self.prepared:
            record = self.prepared.popleft()
            self.next_fetch_offset = record.offset + 1 if self.prepared else end
            yield record
        self.next_fetch_offset = end
        if not self._ends_early:
            yield from self._unpack_records()

    def _end_of_batch(self, at: int) -> int | None:
        """None where no whole batch follows, which there always is at the beginning."""
        if len(self._data) - at > _MAGIC_AT:
            (length,) = _INT32.unpack_from(self._data, at + _LENGTH_AT)
            end = at + _FRAME_BYTES + int(length)
            if length >= _SMALLEST_LENGTH and end <= len(self._data):
                return end
        if at == 0 and self._is_really_damaged(self.next_fetch_offset):
            raise CorruptRecordException(
                f"{self._tp.topic}, partition {self._tp.partition}: the log has no whole batch at "
                f"{self.next_fetch_offset}"
            )
        return None

    def _base_offset(self, at: int) -> int | None:
        if len(self._data) - at < _BASE_OFFSET.size:
            return None
        return int(_BASE_OFFSET.unpack_from(self._data, at)[0])

    def _of_batch(self, raw: memoryview, following: int | None) -> Iterator[Read]:
        """`following`: the base offset of the batch after it, where that is known."""
        try:
            batch = _batch(raw)
            why = "" if batch.validate_crc() else "its checksum is wrong"
        except Exception as error:  # noqa: BLE001  # whatever aiokafka meets in bytes that are no batch
            why = f"it is none of Kafka's: {error}"
        if why:
            yield from self._unsound(raw, following, why)
            return
        self._shared.damaged.pop(self._tp, None)
        try:
            if not self._is_passed_over(batch):
                yield from self._records_of(batch, raw)
        except Exception as error:  # noqa: BLE001  # the same, behind a good checksum
            if self.next_fetch_offset < batch.next_offset:
                why = str(error) if isinstance(error, Unpackable) else f"it has what is no record: {error}"
                timestamp = getattr(batch, "max_timestamp", -1)  # older versions have none
                yield self._flawed_batch(raw, batch.next_offset, timestamp, why)
        if not self._ends_early:
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)

    def _is_passed_over(self, batch: Any) -> bool:
        """Whether it is of an aborted transaction, or only the mark of one's end. As aiokafka does it."""
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)

    def _records_of(self, batch: Any, raw: memoryview) -> Iterator[Read]:
        if raw[_MAGIC_AT] < NEWEST_MAGIC:
            self._allowance.left -= _checked_size(raw, self._shared.largest_batch_bytes)
            yield from self._quickly(batch, LAST_OFFSET)  # its header may have the offset of its first record
            return
        body, codec = raw[_RECORDS_AT:], batch.attributes & _CODEC
        if codec:
            put_aside, limit = self._put_aside, self._shared.largest_batch_bytes
            try:
                body = memoryview(unpacked(codec, body, limit if put_aside is None else min(limit, LARGE_BYTES)))
            except TooLarge:
                if put_aside is None:
                    raise
                self._ends_early = True
                put_aside(self)
                return
            batch = _unpacked_batch(raw, body)
        self._allowance.left -= len(body)
        (count,) = _INT32.unpack_from(raw, _COUNT_AT)
        if len(body) < CAREFULLY_FROM_BYTES or max(_sizes(body, count)) < CAREFULLY_FROM_BYTES:
            try:
                yield from self._quickly(batch, batch.next_offset)
                return
            except UnicodeDecodeError:
                pass  # in the name of a header: from here on one by one
        yield from self._carefully(batch, body, count)

    def _quickly(self, batch: Any, end: int) -> Iterator[Read]:
        allowance = self._allowance
        for record in batch:
            offset = record.offset
            if offset < self.next_fetch_offset:
                continue
            if offset >= end:
                raise Malformed(f"offset {offset} in a batch that ends before {end}")
            headers = record.headers
            allowance.left -= RECORD_COST + HEADER_COST * len(headers)
            self.next_fetch_offset = offset + 1
            if len(headers) > MOST_HEADERS:
                flaw = f"headers: {len(headers):,}, more than {MOST_HEADERS:,}"
                first = tuple(headers[:MOST_HEADERS])
                yield self._flawed(offset, record.timestamp, record.key, record.value, first, flaw)
            else:
                yield self._record(offset, record.timestamp, record.timestamp_type, record.key, record.value, headers)
            if allowance.left <= 0:
                self._ends_early = True
                return

    def _carefully(self, batch: Any, body: memoryview, count: int) -> Iterator[Read]:
        for at, end in lengths(body, count):
            record = parsed(body, at, end)
            offset = batch.base_offset + record.offset_delta
            if offset < self.next_fetch_offset:
                continue
            if offset >= batch.next_offset:
                raise Malformed(f"offset {offset} in a batch that ends before {batch.next_offset}")
            timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + record.timestamp_delta
            self._allowance.left -= RECORD_COST + HEADER_COST * len(record.headers)
            self.next_fetch_offset = offset + 1
            if record.flaw:
                yield self._flawed(offset, timestamp, record.key, record.value, record.headers, record.flaw)
            else:
                yield self._record(offset, timestamp, batch.timestamp_type, record.key, record.value, record.headers)
            if self._allowance.left <= 0:
                self._ends_early = True
                return

    def _record(
        self,
        offset: int,
        timestamp: int,
        timestamp_type: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> ConsumerRecord:
        topic, partition = self._tp
        return ConsumerRecord(
            topic, partition, offset, timestamp, timestamp_type, key, value, None,
            -1 if key is None else len(key), -1 if value is None else len(value), tuple(headers),
        )  # fmt: skip

    def _unsound(self, raw: memoryview, following: int | None, why: str) -> Iterator[Read]:
        """A batch whose header can't be believed. Ends the answer: the mark of a transaction's end may be in it."""
        self._ends_early = True
        if self._is_really_damaged(self.next_fetch_offset):
            yield self._flawed_batch(raw, following or min(_claimed_end(raw), self._log_end), -1, why)

    def _is_really_damaged(self, offset: int) -> bool:
        """Whether what is there was fetched often enough to believe it."""
        seen = self._shared.damaged.get(self._tp)
        if seen is None or seen.offset != offset:
            seen = self._shared.damaged[self._tp] = Damaged(offset)
        seen.tries += 1
        return seen.tries >= TRIES

    def _flawed_batch(self, raw: memoryview, end: int, timestamp: int, why: str) -> FlawedRecord:
        """All that is left of a batch, as one; passed over with it."""
        first = self.next_fetch_offset
        self.next_fetch_offset = max(end, first + 1)
        self._allowance.left -= len(raw)
        flaw = f"batch: {why}; it stands for the offsets {first} to {self.next_fetch_offset - 1}"
        return self._flawed(first, timestamp, None, bytes(raw), (), flaw, of_batch=True)

    def _flawed(
        self,
        offset: int,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: tuple[tuple[str, bytes | None], ...],
        flaw: str,
        *,
        of_batch: bool = False,
    ) -> FlawedRecord:
        place = (self._tp.topic, self._tp.partition, offset, timestamp)
        return FlawedRecord(*place, key, value, headers, flaw, of_batch)


def _is_large(raw: memoryview) -> bool:
    """Whether a batch is to be read beside the event loop, by its first bytes. Some turn out so when unpacked."""
    if len(raw) > LARGE_BYTES or raw[_MAGIC_AT] < NEWEST_MAGIC:
        return True
    return len(raw) >= _RECORDS_AT and int(_INT32.unpack_from(raw, _COUNT_AT)[0]) > MOST_RECORDS


def _checked_size(raw: memoryview, limit: int) -> int:
    """Bytes of a message of version 0 or 1 once it is unpacked. Raises Unpackable."""
    magic, attributes = raw[_MAGIC_AT], raw[_MAGIC_AT + 1]
    if not attributes & _CODEC:
        return len(raw)
    at = _MAGIC_AT + 2 + 8 * magic
    for _ in ("key", "value"):
        (length,) = _INT32.unpack_from(raw, at)
        at += _INT32.size + max(0, length)
    return len(unpacked(attributes & _CODEC, raw[at - max(0, length) : at], limit))


def _batch(raw: memoryview) -> Any:
    """aiokafka's view of a batch."""
    magic = raw[_MAGIC_AT]
    if magic < NEWEST_MAGIC:
        return MemoryRecords(bytes(raw)).next_batch()
    if magic > NEWEST_MAGIC or len(raw) < _RECORDS_AT:
        raise Malformed(f"magic {magic}, {len(raw)} bytes")
    return DefaultRecordBatch(raw)


def _unpacked_batch(raw: memoryview, body: memoryview) -> Any:
    """The same batch as if it had never been packed."""
    header = bytearray(raw[:_RECORDS_AT])
    (attributes,) = _INT16.unpack_from(header, _ATTRIBUTES_AT)
    _INT16.pack_into(header, _ATTRIBUTES_AT, attributes & ~_CODEC)
    return DefaultRecordBatch(bytes(header) + body)


def _sizes(body: memoryview, count: int) -> Iterator[int]:
    return (end - at for at, end in lengths(body, count))


def _claimed_end(raw: memoryview) -> int:
    """The offset after a batch, as far as its header may be believed."""
    base = int(_BASE_OFFSET.unpack_from(raw)[0])
    if raw[_MAGIC_AT] < NEWEST_MAGIC or len(raw) < _RECORDS_AT:
        return base + 1
    return base + max(0, int(_INT32.unpack_from(raw, _LAST_DELTA_AT)[0])) + 1
