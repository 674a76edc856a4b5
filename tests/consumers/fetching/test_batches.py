"""Answers of a broker as records: every offset once, whatever the bytes are, and never more than was allowed."""

import random
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.fetching.batches import CAREFULLY_FROM_BYTES, TRIES, Allowance, Batches, Shared
from consumers.fetching.flawed import FlawedRecord
from consumers.fetching.parsing import MOST_HEADERS
from tests.consumers.fetching.raw_batches import CODECS, CONTROL, TIMESTAMP_MS, TRANSACTIONAL, Raw, batch, packed
from tests.support.examples import examples

TP = TopicPartition("ticket-events", 3)
MIB = 1024 * 1024
PLENTY = 1024 * MIB


class Partition:
    """A log of batches, read as a fetcher does it: from the batch with the offset, and again from where it ended."""

    def __init__(self, *batches: bytes, aborted: Sequence[tuple[int, int]] = (), largest: int = 8 * MIB) -> None:
        self._batches = batches
        self._aborted = aborted
        self.shared = Shared(Allowance(PLENTY), largest)
        self.position = 0
        self.fetches = 0

    def last(self, place: int) -> int:
        """The last offset of a batch: what is before the next one, whatever it says itself."""
        following = self._batches[place + 1 : place + 2]
        return _base(following[0]) - 1 if following else _last(self._batches[place])

    @property
    def end(self) -> int:
        return self.last(len(self._batches) - 1) + 1

    def poll(self, allowed: int = PLENTY, most: int | None = None) -> list[Any]:
        """What one answer has; the position is moved as the client moves it."""
        self.fetches += 1
        self.shared.allowance.left = allowed
        data = b"".join(one for place, one in enumerate(self._batches) if self.last(place) >= self.position)
        if not data:
            return []
        batches = Batches(TP, data, list(self._aborted), self.position, self.end, READ_COMMITTED, self.shared)
        found = []
        for record in batches:
            found.append(record)
            if most is not None and len(found) >= most:
                break
        self.position = batches.next_fetch_offset
        return found

    def read(self, allowed: int = PLENTY) -> list[Any]:
        """Everything, poll by poll."""
        found = []
        while self.position < self.end:
            found += self.poll(allowed)
            assert self.fetches < 1_000, f"stuck at {self.position}"
        return found


def _base(raw: bytes) -> int:
    return int(struct.unpack_from(">q", raw)[0])


def _last(raw: bytes) -> int:
    return _base(raw) + int(struct.unpack_from(">i", raw, 23)[0])


def as_aiokafka_reads(data: bytes, position: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> list[Any]:
    records = PartitionRecords(TP, MemoryRecords(data), list(aborted), position, None, None, True, READ_COMMITTED)
    return list(records)


GOOD = [Raw(b"v%d" % n, b"k%d" % n, [(b"name", b"x"), ("ü".encode(), None)], n) for n in range(5)]


@pytest.mark.parametrize("codec", CODECS)
def test_good_batches_are_read_as_aiokafka_reads_them(codec: str) -> None:
    data = [batch(10, *GOOD, codec=codec), batch(20, *GOOD, codec=codec), batch(30, Raw(None, None), codec=codec)]
    partition = Partition(*data)
    partition.position = 12
    found = partition.read()
    assert found == as_aiokafka_reads(b"".join(data), 12)
    assert [one.offset for one in found] == [12, 13, 14, 20, 21, 22, 23, 24, 30]
    assert partition.position == 31
    assert partition.fetches == 1


@pytest.mark.parametrize("codec", CODECS)
def test_large_records_are_read_as_aiokafka_reads_them(codec: str) -> None:
    rng = random.Random(7)
    large = [Raw(rng.randbytes(CAREFULLY_FROM_BYTES), b"k", [(b"n", b"v"), (b"n", None)]), Raw(None, b"gone"), *GOOD]
    data = batch(0, *large, codec=codec)
    assert Partition(data).read() == as_aiokafka_reads(data)


def test_aborted_transactions_and_their_marks_are_passed_over() -> None:
    marks = [struct.pack(">hh", 0, kind) for kind in (0, 1)]  # abort, commit
    data = [
        batch(0, *GOOD, attributes=TRANSACTIONAL, producer=1),
        batch(5, *GOOD, attributes=TRANSACTIONAL, producer=2),
        batch(10, Raw(b"", marks[0]), attributes=TRANSACTIONAL | CONTROL, producer=1),
        batch(11, Raw(b"", marks[1]), attributes=TRANSACTIONAL | CONTROL, producer=2),
        batch(12, *GOOD, attributes=TRANSACTIONAL, producer=1),
        batch(17, Raw(b"", marks[1]), attributes=TRANSACTIONAL | CONTROL, producer=1),
    ]
    partition = Partition(*data, aborted=[(1, 0)])
    assert partition.read() == as_aiokafka_reads(b"".join(data), aborted=[(1, 0)])
    assert partition.position == 18


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf_8_is_that_record_s_flaw_alone(codec: str) -> None:
    odd = Raw(b"body", b"\xff key", [(b"good", b"1"), (b"\xff\xfe", b"2"), (b"null", None)], 3)
    found = Partition(batch(7, *GOOD[:2], odd, *GOOD[:2], codec=codec)).read()
    assert [one.offset for one in found] == [7, 8, 9, 10, 11]
    flawed = found[2]
    assert isinstance(flawed, FlawedRecord)
    assert not any(isinstance(one, FlawedRecord) for one in found if one is not flawed)
    assert flawed.flaw == "headers: a name is not UTF-8"
    assert (flawed.topic, flawed.partition, flawed.timestamp) == (*TP, TIMESTAMP_MS + 3)
    assert (flawed.key, flawed.value) == (odd.key, odd.value)
    assert [(name.encode(errors="surrogateescape"), value) for name, value in flawed.headers] == list(odd.headers)


@pytest.mark.parametrize("length", [2 * MOST_HEADERS, 100 * MOST_HEADERS], ids=["small", "large"])
def test_a_record_of_very_many_headers_is_flawed_and_keeps_the_first(length: int) -> None:
    found = Partition(batch(0, GOOD[0], Raw(b"v", b"k", [(b"", None)] * length), GOOD[1], codec="gzip")).read()
    assert [one.offset for one in found] == [0, 1, 2]
    assert found[1].flaw == f"headers: {length:,}, more than {MOST_HEADERS:,}"
    assert (found[1].value, len(found[1].headers)) == (b"v", MOST_HEADERS)


def spoilt(raw: bytes, at: int = -1) -> bytes:
    changed = bytearray(raw)
    changed[at] ^= 0xFF
    return bytes(changed)


UNREADABLE = {
    "a wrong checksum": (spoilt(batch(5, *GOOD)), "its checksum is wrong"),
    "a magic to come": (spoilt(batch(5, *GOOD), 16), "it is none of Kafka's: magic"),
    "an unknown codec": (batch(5, *GOOD, attributes=7), "codec 7"),
    "gzip that is none": (
        batch(5, codec="gzip", body=b"not gzip", count=5, last_delta=4),
        "its gzip can't be unpacked",
    ),
    "gzip cut short": (batch(5, codec="gzip", body=packed("gzip", b"x" * 99)[:-9], count=5, last_delta=4), "too early"),
    "snappy that is none": (batch(5, codec="snappy", body=b"\xff" * 9, count=5, last_delta=4), "its snappy"),
    "snappy in endless blocks": (
        batch(5, codec="snappy", body=b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, -4), count=5, last_delta=4),
        "a block of no length",
    ),
    "lz4 that is none": (batch(5, codec="lz4", body=b"\0" * 9, count=5, last_delta=4), "its lz4"),
    "zstd that is none": (batch(5, codec="zstd", body=b"\0" * 9, count=5, last_delta=4), "its zstd"),
    "records that are none": (batch(5, body=b"\x7f" * 40, count=5, last_delta=4), "what is no record"),
    "fewer records than it says": (batch(5, *GOOD[:3], count=5, last_delta=4), "what is no record"),
    "more bytes than records": (batch(5, *GOOD, count=2), "what is no record"),
    "offsets beyond its end": (batch(5, *GOOD[:4], Raw(offset_delta=2**30)), "what is no record"),
    "no room for a header": (struct.pack(">qiib", 5, 20, 0, 2) + bytes(15), "it is none of Kafka's: magic 2, 32 bytes"),
    **{
        f"{codec} that has a gigabyte": (
            batch(5, codec=codec, body=packed(codec, bytes(64 * MIB)), count=5, last_delta=4),
            "more than 8,388,608 bytes when unpacked",
        )
        for codec in CODECS
        if codec != "none"
    },
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_batch_of_which_no_records_can_be_made_is_one_flawed_record_and_stepped_over_exactly(kind: str) -> None:
    raw, why = UNREADABLE[kind]
    partition = Partition(batch(0, *GOOD), raw, batch(10, *GOOD))
    found = partition.read()
    flawed = [one for one in found if isinstance(one, FlawedRecord)]
    good = [one.offset for one in found if not isinstance(one, FlawedRecord)]
    (letter,) = flawed
    assert letter.of_batch
    assert why in letter.flaw
    assert letter.value == raw
    begins = letter.offset
    assert letter.flaw.endswith(f"it stands for the offsets {begins} to 9")
    assert good == [*range(begins), *range(10, 15)], "each offset is either read or in the letter"
    assert partition.position == 15
    assert partition.fetches <= TRIES + 2


def test_a_damaged_batch_at_the_end_of_an_answer_is_stepped_over_by_its_own_word() -> None:
    partition = Partition(batch(0, *GOOD), spoilt(batch(5, *GOOD)))
    found = partition.read()
    assert [one.offset for one in found] == [0, 1, 2, 3, 4, 5]
    assert partition.position == 10


def test_a_checksum_that_is_wrong_once_only_was_the_network_s() -> None:
    partition = Partition(batch(0, *GOOD), spoilt(batch(5, *GOOD)))
    assert len(partition.poll()) == 5
    assert partition.poll() == []
    assert partition.position == 5
    partition._batches = (batch(0, *GOOD), batch(5, *GOOD))
    assert [one.offset for one in partition.read()] == [5, 6, 7, 8, 9]
    assert partition.shared.damaged == {}


@pytest.mark.parametrize("data", [b"\0" * 40, b"\0" * 8 + b"\x7f" * 40, b"\0" * 7], ids=["no length", "long", "short"])
def test_a_log_without_batches_is_said_and_not_guessed_about(data: bytes) -> None:
    shared = Shared(Allowance(PLENTY), MIB)
    for _ in range(TRIES - 1):
        assert list(Batches(TP, data, None, 7, 9, READ_COMMITTED, shared)) == []
    with pytest.raises(CorruptRecordException, match="partition 3: the log has no whole batch at 7"):
        list(Batches(TP, data, None, 7, 9, READ_COMMITTED, shared))


def test_a_batch_that_is_cut_at_the_end_of_an_answer_is_left_to_the_next() -> None:
    data = batch(0, *GOOD) + batch(5, *GOOD)[:-1]
    batches = Batches(TP, data, None, 0, 10, READ_COMMITTED, Shared(Allowance(PLENTY), MIB))
    assert [one.offset for one in batches] == [0, 1, 2, 3, 4]
    assert batches.next_fetch_offset == 5


@pytest.mark.parametrize("record", [Raw(b"x" * 1_000), Raw(b"x", b"k", [(b"", None)] * 5)], ids=["bytes", "headers"])
def test_a_poll_hands_out_what_it_may_and_the_next_goes_on(record: Raw) -> None:
    partition = Partition(*(batch(n * 50, *[record] * 50, codec="gzip") for n in range(20)))
    found = partition.poll(allowed=200_000)
    assert 50 <= len(found) < 600
    found += partition.read(allowed=200_000)
    assert [one.offset for one in found] == list(range(1_000))


def test_a_poll_of_so_many_records_goes_on_in_the_middle_of_a_batch() -> None:
    partition = Partition(batch(0, *GOOD, codec="zstd"))
    assert [one.offset for one in partition.poll(most=2)] == [0, 1]
    assert partition.position == 2
    assert [one.offset for one in partition.poll(most=2)] == [2, 3]


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_whatever_bytes_are_in_a_batch_its_neighbours_are_read_and_nothing_is_raised(data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(sorted(CODECS)))
    raw = bytearray(batch(5, *GOOD, codec=codec))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(12, len(raw) - 1))] = data.draw(st.integers(0, 255))
    fix = data.draw(st.booleans())
    if fix and raw[16] == 2:  # as somebody would who means it
        raw[23:27] = struct.pack(">i", 4)  # brokers give offsets themselves
        raw[17:21] = struct.pack(">I", calc_crc32c(bytes(raw[21:])))
    partition = Partition(batch(0, *GOOD), bytes(raw), batch(10, *GOOD))
    found = partition.read()
    offsets = [one.offset for one in found]
    assert offsets == sorted(set(offsets))
    assert [one for one in offsets if one < 5 or one > 9] == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    assert partition.position == 15


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1], ids=["none", "gzip"])
def test_messages_of_old_segments_are_read_as_aiokafka_reads_them(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 1 << 20)
    for offset in range(5):
        assert builder.append(offset, TIMESTAMP_MS, b"k%d" % offset, b"v%d" % offset) is not None
    data = bytes(builder.build())
    batches = Batches(TP, data, None, 0, 5, READ_COMMITTED, Shared(Allowance(PLENTY), MIB))
    found = [(one.offset, one.timestamp, one.key, one.value) for one in batches]
    assert found == [(one.offset, one.timestamp, one.key, one.value) for one in as_aiokafka_reads(data)]
    assert len(found) == batches.next_fetch_offset == 5
