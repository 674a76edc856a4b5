"""Events of every shape: each is read or a dead letter, as the contract says, and none breaks what counts."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from consumers.audit.cycle import stored_counters
from consumers.audit.tenant_audit import TenantAudit, TenantReport
from consumers.dead_letters.letter import letter_in, whose
from consumers.decoding.event_record import decode
from service.domain.tickets.event import EventType, PoisonEvent, TicketEvent
from service.domain.tickets.ticket import Ticket, TicketState
from service.store.codec import REVISION_BYTES, pack_ticket_state, unpack_ticket_state
from tests.consumers.records import TENANT
from tests.consumers.small_world import NOW_US, filter_entry, tenant_entry
from tests.fakes.memory_store import MemoryStore
from tests.fuzz.damage import VALUES as ANYTHING
from tests.fuzz.damage import damaged, written
from tests.fuzz.records import ALTERED, GOOD, KEYS, any_record, binary, structured
from tests.fuzz.rounds import fuzz, within_its_time
from tests.oracle.generated import grammar
from tests.oracle.instants import parse_instant
from tests.oracle.published import records
from tests.oracle.published.records import Record
from tests.support.pipeline import TIMESTAMP_MS, FakeProducer, Pipeline, published

pytestmark = [within_its_time, pytest.mark.usefixtures("silent")]


def outcome(record: Record) -> TicketEvent | str:
    """What the product makes of it: an event, or the reason of a dead letter, in one line."""
    try:
        event = decode(record.key, record.value, record.headers, TIMESTAMP_MS)
    except PoisonEvent as poison:
        reason = str(poison)
        assert reason
        assert "\n" not in reason
        return reason
    return event


def read_or_poison(record: Record) -> None:
    event = outcome(record)
    assert outcome(record) == event, "the same each time"
    whose(record.key, record.value, record.headers, of_catalogue=False)
    if isinstance(event, str):
        return
    if isinstance(event.change, Ticket):
        ticket_state = TicketState(event.sequence or 0, event.change, event.time)
        packed = pack_ticket_state(ticket_state)
        assert pack_ticket_state(unpack_ticket_state(bytes(REVISION_BYTES) + packed)) == packed
        assert unpack_ticket_state(bytes(REVISION_BYTES) + packed) == ticket_state


def test_damaged_bytes_are_read_or_poison() -> None:
    headers = st.sampled_from(((), (("content-type", b"application/cloudevents+json"),)))
    fuzz(
        lambda value, key, headers: read_or_poison(Record(value, key, headers)),
        damaged(GOOD.map(written)) | st.binary(max_size=40),
        KEYS,
        headers,
    )


def test_whatever_kafka_lets_through_is_read_or_poison() -> None:
    fuzz(read_or_poison, any_record())


INSTANTS = {"createdAt": "created_at", "updatedAt": "updated_at", "dueAt": "due_at", "slaDueAt": "sla_due_at",
            "closedAt": "closed_at"}  # fmt: skip


def by_the_contract(record: Record) -> records.Event | str:
    """What an independent reader makes of it: an event, or why it is refused."""
    try:
        return records.read(record)
    except records.Refused as refused:
        return str(refused)


def as_the_contract_says(record: Record) -> None:
    event = outcome(record)
    expected = by_the_contract(record)
    if isinstance(expected, str):
        assert isinstance(event, str), f"applied, though: {expected}"
        return
    assert not isinstance(event, str), f"refused, though the contract takes it: {event}"
    assert (event.tenant, event.ticket, event.sequence) == (expected.tenant, expected.ticket, expected.sequence)
    assert event.type is EventType(expected.type)
    if not isinstance(event.change, Ticket):
        return
    data: dict[str, Any] = expected.data or {}
    for name in records.ID_FIELDS:
        assert getattr(event.change, name) == (data.get(name) or None)
    for name, attribute in INSTANTS.items():
        assert getattr(event.change, attribute) == (parse_instant(data[name]) if data.get(name) else None)
    assert event.change.tags == tuple(data.get("tags") or ())
    assert event.change.fields == (data.get("fields") or {})
    assert event.change.sla_breached is bool(data.get("slaBreached"))


def test_both_content_modes_say_what_an_independent_reader_says() -> None:
    def agree(event: dict[str, Any], key: bytes | None) -> None:
        as_the_contract_says(structured(event, key))
        in_headers = binary(event, key)
        if in_headers is not None:
            as_the_contract_says(in_headers)

    fuzz(agree, ALTERED, KEYS)


VALUES: dict[str, Any] = {
    **dict.fromkeys(grammar.SPANS, "P1D"),
    **dict.fromkeys(("before", "after"), "@now-PT1H"),
    "within": "today",
    "between": ["2026-11-01T00:00:00Z", "@now"],
    **{op: ["3747", "vip", 1, "x"] for op in ("in", "nin", *grammar.LISTS)},
}


def leaf(field: str, op: str) -> dict[str, Any]:
    """The operator with a value that it takes there."""
    value = VALUES.get(op, "2026-11-01T00:00:00Z" if field in records.INSTANT_FIELDS else "x")
    if field in records.INSTANT_FIELDS and op in ("in", "nin"):
        value = ["2026-11-01T00:00:00Z"]
    if field == "slaBreached":
        value = [True] if op in ("in", "nin") else True
    elif field not in records.INSTANT_FIELDS and not field.startswith("fields.") and isinstance(value, list):
        value = ["a", "x"]
    return {"field": field, "op": op} | ({} if op in grammar.VALUELESS else {"value": value})


LEAVES = [
    leaf(field, op)
    for field, operators in {**grammar.OPERATORS, "fields.x": grammar.CUSTOM_FIELD}.items()
    for op in sorted(operators)
]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


async def consumer_of_all_operators() -> Pipeline:
    entries = [tenant_entry(TENANT), *(filter_entry(f"f{n}", one, TENANT) for n, one in enumerate(LEAVES))]
    pipeline = Pipeline(MemoryStore(4), published(entries), FakeProducer(), NOW_US)
    await pipeline.catch_up()
    assert not pipeline.refused
    while pipeline.catalogue_sync.to_backfill:
        await pipeline.backfill()
    return pipeline


def test_no_record_breaks_the_consumer_and_every_count_is_that_of_the_tickets(runner: asyncio.Runner) -> None:
    consumer = runner.run(consumer_of_all_operators())
    met = {"records": 0}

    async def consume(event: dict[str, Any], other: Record, fields: Any) -> None:
        if isinstance(event.get("data"), dict):
            event["data"]["fields"] = {"x": fields}
        event["subject"], event["sequence"] = f"T{met['records'] % 50}", met["records"]
        for record in (structured(event), other):
            await consumer.consume([replace(record, offset=met["records"])])
            met["records"] += 1
        for letter in consumer.producer.sent:
            assert letter_in(letter) is not None
        consumer.producer.sent.clear()

    fuzz(lambda event, other, fields: runner.run(consume(event, other, fields)), ALTERED, any_record(), ANYTHING)
    report = runner.run(audited(consumer))
    assert (report.cells, report.wrong_tickets) == ([], {})
    assert report.tickets


async def audited(consumer: Pipeline) -> TenantReport:
    assert isinstance(consumer.store, MemoryStore)
    counters = await stored_counters(consumer.store)
    while not all((one.timers or 0) >= NOW_US for one in (await consumer.store.states(range(4))).values()):
        await consumer.timers.look()
    return await TenantAudit(consumer.store, consumer.clock, None).run(TENANT, counters.get(TENANT, ()))
