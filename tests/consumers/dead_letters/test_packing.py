"""What a letter holds of its record where the topic doesn't take all of it, and how it is read back."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError
from hypothesis import given
from hypothesis import strategies as st

from consumers.dead_letters.letter import letter_in
from consumers.dead_letters.packing import MIB, SIZE_LIMITS, SizeLimit, parcel
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.fetching.flawed import FlawedRecord
from consumers.metrics import ConsumerMetrics
from tests.support.pipeline import FakeProducer, KafkaRecord

ODD = "\udcff\udcfe"
"""A header's name of the bytes FF FE."""


def read_back(producer: FakeProducer) -> Any:
    (sent,) = producer.sent
    letter = letter_in(sent)
    assert letter is not None
    return letter


class Choosy(FakeProducer):
    """Takes no more bytes than it is told to, and timestamps only up to one."""

    takes = 10**9
    latest = 10**15

    async def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        *,
        timestamp_ms: int | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> "asyncio.Future[object]":
        size = len(value or b"") + len(key or b"") + sum(len(n.encode()) + len(v or b"") for n, v in headers)
        self.failure = None
        if size > self.takes:
            self.failure = MessageSizeTooLargeError()
        elif timestamp_ms is not None and timestamp_ms > self.latest:
            self.failure = InvalidTimestampError()
        return await super().send(topic, value, key, timestamp_ms=timestamp_ms, headers=headers)


async def parked(letter: Any, *, takes: int = 10**9, latest: int = 10**15, reason: str = "value: bad") -> Choosy:
    producer = Choosy()
    producer.takes, producer.latest = takes, latest
    letters = DeadLetters(producer, "the-dead", ConsumerMetrics(), FloodGuard(10, 100, 1.0))
    await letters.park(letter, reason)
    await letters.acknowledged()
    return producer


BIG = b"0123456789abcdef" * (20 * MIB // 16)


async def test_a_record_beyond_what_the_topic_takes_is_parked_with_length_hash_and_its_first_mebibyte() -> None:
    record = KafkaRecord(3, 17, b"acme/T1", BIG, (("ce_id", b"e"), ("trace", None)))
    producer = await parked(record, takes=16 * MIB)
    letter = read_back(producer)
    assert (letter.key, letter.headers, letter.timestamp_ms) == (record.key, record.headers, record.timestamp)
    assert letter.value == BIG[:MIB]
    assert not letter.is_whole
    assert letter.reason == (
        "value: bad; of its value the first 1,048,576 of 20,971,520 bytes are here "
        f"(SHA-256 of all {hashlib.sha256(BIG).hexdigest()})"
    )


async def test_a_topic_that_takes_little_gets_less_and_never_nothing() -> None:
    record = KafkaRecord(3, 17, b"k" * 5_000, BIG, tuple((f"h{n}", b"x" * 100) for n in range(500)))
    for takes in (2 * MIB, MIB, 300 * 1024, 20_000, 1_500):
        letter = read_back(await parked(record, takes=takes))
        assert letter.origin == ("ticket-events", 3, 17)
        assert record.value is not None
        assert record.value.startswith(letter.value)
        assert record.key is not None
        assert record.key.startswith(letter.key)
        assert letter.headers == record.headers[: len(letter.headers)]
        assert "20,971,520" in letter.reason
        assert hashlib.sha256(BIG).hexdigest() in letter.reason
    with pytest.raises(MessageSizeTooLargeError):
        await parked(record, takes=10)


async def test_a_timestamp_that_the_topic_refuses_is_kept_beside() -> None:
    record = KafkaRecord(0, 1, b"k", b"v", (("ce_id", b"e"),), timestamp=2**62)
    producer = await parked(record)
    assert producer.sent[0].timestamp != 2**62
    letter = read_back(producer)
    assert (letter.timestamp_ms, letter.is_whole, letter.headers) == (2**62, True, record.headers)


async def test_a_header_s_name_that_is_no_text_is_spelled_for_readers_and_read_back_as_it_was() -> None:
    headers = (("good", b"1"), (ODD, b"2"), ("ü", None), (ODD, None))
    record = FlawedRecord("ticket-events", 3, 17, 5, b"k", b"v", headers, "headers: a name is not UTF-8")
    producer = await parked(record, reason=record.flaw)
    assert [name for name, _ in producer.sent[0].headers[:4]] == ["good", "\\xff\\xfe", "ü", "\\xff\\xfe"]
    letter = read_back(producer)
    assert (letter.headers, letter.is_whole) == (headers, True)


async def test_a_batch_says_that_it_is_one() -> None:
    batch = FlawedRecord("ticket-events", 3, 17, -1, None, b"\0raw", (), "batch: its checksum is wrong", of_batch=True)
    letter = read_back(await parked(batch, reason=batch.flaw))
    assert (letter.value, letter.key, letter.is_whole) == (b"\0raw", None, False)


HEADER_NAMES = st.one_of(st.text(max_size=5).map(lambda text: text.encode(errors="replace")), st.binary(max_size=4))
HEADERS = st.lists(
    st.tuples(
        st.one_of(st.just("parked"), HEADER_NAMES.map(lambda name: name.decode(errors="surrogateescape"))),
        st.none() | st.binary(max_size=6),
    ),
    max_size=5,
)


@given(st.none() | st.binary(), st.none() | st.binary(), HEADERS, st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_every_record_is_read_back_as_it_was(
    key: bytes | None, value: bytes | None, headers: Any, timestamp: int, restamped: bool
) -> None:
    record = KafkaRecord(3, 17, key, value, headers, timestamp)
    sent = parcel(record, "bad", SIZE_LIMITS[0], restamped=restamped)
    assert all(name.encode().decode() == name for name, _ in sent.headers), "every client has to be able to read it"
    letter = letter_in(KafkaRecord(0, 0, sent.key, sent.value, sent.headers, 1 if restamped else timestamp))
    assert letter is not None
    assert (letter.key, letter.value, list(letter.headers)) == (key, value, headers)
    assert (letter.timestamp_ms, letter.is_whole) == (timestamp, True)


@given(st.binary(), st.binary(), HEADERS, st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_a_parcel_takes_no_more_room_than_it_has_and_keeps_beginnings(
    key: bytes, value: bytes, headers: Any, value_room: int, key_room: int, headers_room: int
) -> None:
    record = KafkaRecord(3, 17, key, value, headers)
    sent = parcel(record, "bad", SizeLimit(value_room, key_room, headers_room))
    assert (sent.key, sent.value) == (key[:key_room], value[:value_room])
    letter = letter_in(KafkaRecord(0, 0, sent.key, sent.value, sent.headers))
    assert letter is not None
    kept = list(letter.headers)
    assert kept == headers[: len(kept)]
    assert sum(len(n.encode(errors="surrogateescape")) + len(v or b"") + 2 for n, v in kept) <= headers_room
    cut = len(key) > key_room or len(value) > value_room or len(kept) < len(headers)
    assert letter.is_whole is not cut
