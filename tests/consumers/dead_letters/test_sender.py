"""Dead letters: whole records with their reason, acknowledged before anything moves on, and floods that stop."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from consumers.dead_letters import sender
from consumers.dead_letters.packing import REASON_BYTES, Parcel, parcel
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.errors import Flood
from consumers.fetching.large import LARGE_BYTES
from consumers.metrics import ConsumerMetrics
from tests.support.pipeline import FakeProducer, KafkaRecord

RECORD = KafkaRecord(3, 17, b"\xffkey", b"\x00not json", (("ce_id", b"e"), ("reason", b"older")), 1_700_000_000_123)


def letters(producer: FakeProducer, guard: FloodGuard | None = None) -> DeadLetters:
    return DeadLetters(producer, "the-dead", ConsumerMetrics(), guard or FloodGuard(1000, 10_000, 0.5))


async def test_a_letter_has_the_record_s_bytes_and_says_why_and_whence() -> None:
    producer = FakeProducer()
    await letters(producer).park(RECORD, "sequence: missing")
    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.value, sent.timestamp) == (
        "the-dead",
        RECORD.key,
        RECORD.value,
        RECORD.timestamp,
    )
    assert list(sent.headers) == [
        ("ce_id", b"e"), ("reason", b"older"), ("reason", b"sequence: missing"), ("topic", b"ticket-events"),
        ("partition", b"3"), ("offset", b"17"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "whose"),
    [
        (KafkaRecord(0, 1, b"acme/INC1", b"{"), ("acme", "INC1")),
        (KafkaRecord(0, 1, None, b'{"tenantid": "acme", "subject": "INC1", "x": "\\ud83d"}'), ("acme", "INC1")),
        (KafkaRecord(0, 1, b"\xff", b"{", (("ce_tenantid", b"acme"), ("ce_subject", b"INC1"))), ("acme", "INC1")),
        (KafkaRecord(0, 1, b"filter/acme/f", b"{}", (), 0, "the-catalogue"), ("acme", None)),
        (KafkaRecord(0, 1, None, b'{"a": ' + b"[" * 100_000), (None, None)),
    ],
)
async def test_the_log_says_whose_record_was_parked(record: KafkaRecord, whose: tuple[str | None, str | None]) -> None:
    parked = DeadLetters(FakeProducer(), "the-dead", ConsumerMetrics(), FloodGuard(1000, 10_000, 0.5), "the-catalogue")
    with capture_logs() as logs:
        await parked.park(record, "bad")
    (line,) = logs
    assert (line["tenant"], line["ticket"]) == whose
    assert (line["topic"], line["partition"], line["offset"]) == (record.topic, 0, 1)


@pytest.mark.parametrize(("size", "beside"), [(LARGE_BYTES, False), (LARGE_BYTES + 1, True)])
async def test_a_large_letter_is_packed_beside_the_loop(
    size: int, beside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def seen(*arguments: Any, **more: Any) -> Parcel:
        threads.append(threading.current_thread())
        return parcel(*arguments, **more)

    monkeypatch.setattr(sender, "parcel", seen)
    producer = FakeProducer()
    parked = letters(producer)
    await parked.park(replace(RECORD, key=b"k", value=bytes(size - 1)), "bad")
    await parked.acknowledged()
    assert [len(sent.value or b"") for sent in producer.sent] == [size - 1]
    assert [thread is not threading.main_thread() for thread in threads] == [beside]


async def test_a_tombstone_stays_one_and_a_long_reason_is_cut() -> None:
    producer = FakeProducer()
    await letters(producer).park(KafkaRecord(0, 1, None, None), "ü" * 5_000 + "\ud800")
    (sent,) = producer.sent
    assert (sent.key, sent.value) == (None, None)
    assert len(dict(sent.headers)["reason"] or b"") == REASON_BYTES


async def test_a_letter_that_is_not_acknowledged_is_said_once() -> None:
    producer = FakeProducer(failure=KafkaError("no broker"))
    parked = letters(producer)
    await parked.park(RECORD, "bad")
    with pytest.raises(KafkaError):
        await parked.acknowledged()
    await parked.acknowledged()


async def test_a_letter_that_is_tried_again_and_again_is_one_bad_record() -> None:
    producer = FakeProducer(failure=KafkaError("no broker"))
    parked = letters(producer, FloodGuard(3, 100, 0.5))
    for _ in range(10):
        await parked.park(RECORD, "bad")
        with pytest.raises(KafkaError):
            await parked.acknowledged()
    assert parked._metrics.dead_letters._value.get() == 1
    producer.failure = None
    for _ in range(2):
        await parked.park(RECORD, "bad")
        await parked.acknowledged()
    assert producer.places() == [(3, 17)], "one that is acknowledged is not sent again"


async def test_a_flood_stops_before_one_more_letter_is_sent() -> None:
    producer = FakeProducer()
    parked = letters(producer, FloodGuard(3, 100, 0.5))
    for offset in range(2):
        await parked.park(replace(RECORD, offset=offset), "bad")
    with pytest.raises(Flood, match="3 bad records in a row"):
        await parked.park(RECORD, "bad")
    assert len(producer.sent) == 2


def test_a_good_record_ends_a_row() -> None:
    guard = FloodGuard(3, 100, 0.5)
    for _ in range(20):
        guard.bad()
        guard.bad()
        guard.good()
        guard.good()
        guard.good()


def test_half_of_the_last_records_is_a_flood_only_once_there_are_that_many() -> None:
    guard = FloodGuard(100, 10, 0.5)
    for _ in range(4):
        guard.bad()
        guard.good()
    guard.good()
    with pytest.raises(Flood, match="5 of the last 10 records"):
        guard.bad()


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6), st.integers(1, 12), st.sampled_from((0.25, 0.5, 1.0)))
def test_a_guard_says_flood_exactly_when_the_rule_does(
    records: list[bool], row: int, window: int, share: float
) -> None:
    guard = FloodGuard(row, window, share)
    for end, bad in enumerate(records, 1):
        seen = records[:end]
        last = seen[-window:]
        in_a_row = end >= row and all(seen[-row:])
        too_many = len(last) == window and sum(last) >= share * window
        if not bad:
            guard.good()
        elif in_a_row or too_many:
            with pytest.raises(Flood):
                guard.bad()
            return
        else:
            guard.bad()
