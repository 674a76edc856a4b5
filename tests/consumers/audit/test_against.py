"""An export of the source system against what the log told: what is missing, what differs, what is only here."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from consumers.audit.against import Against
from consumers.audit.export import BadExport, exported
from consumers.decoding.event_record import decode
from consumers.publishing.line_source import Line
from consumers.publishing.ndjson import Record
from tests.consumers.small_world import NOW_US, TENANT, SmallWorld, deleted, log_of, told

DATA = {"status": "open", "createdAt": "2026-11-01T00:00:00Z"}


def line(ticket: str, sequence: int | str, tenant: str = TENANT, **more: Any) -> bytes:
    return json.dumps({"tenant": tenant, "ticket": ticket, "sequence": sequence, **more}).encode()


async def lines(*texts: bytes) -> AsyncIterator[Line]:
    for number, text in enumerate(texts, 1):
        yield Line(f"export:{number}", text)


async def compared(world: SmallWorld, *texts: bytes, only: str | None = None) -> tuple[Against, list[str]]:
    said: list[str] = []
    against = Against(world.store, said.append, only)
    await against.run(lines(*texts))
    return against, said


async def told_world() -> SmallWorld:
    world = SmallWorld()
    consumer = await world.consumer()
    closed = told(4, "closed", type="ticket.closed")
    await consumer.consume(log_of(told(3, "same"), told(3, "older"), told(3, "other"), deleted(3, "gone"), closed))
    return world


async def test_what_the_log_never_told_or_told_otherwise_is_said_and_nothing_else() -> None:
    world = await told_world()
    against, said = await compared(
        world,
        line("same", 3, data=DATA),
        line("same", "2"),
        line("closed", 4, data={**DATA, "tags": None}),
        b"",
        line("older", 7),
        line("other", 3, data={**DATA, "team": "net"}),
        line("gone", 3, data=DATA),
        line("never", 0, data=DATA),
        line("x", 1, tenant="nobody"),
    )
    assert said == [
        "acme: ticket older: outdated: sequence 3 here, 7 in the source",
        "acme: ticket other: other content at sequence 3: the source has to raise the sequence",
        "acme: ticket gone: deleted here at sequence 3, but not in the source",
        "acme: ticket never: missing: the log has no event of it",
        "nobody: ticket x: its tenant is not in the catalogue",
    ]
    assert (against.totals.tickets, against.totals.different, against.totals.only_here) == (8, 5, 0)


async def test_tickets_that_are_only_here_are_said_but_no_deleted_ones() -> None:
    world = await told_world()
    against, said = await compared(world, line("same", 3), line("closed", 4), line("x", 1, "nobody"), only=TENANT)
    assert sorted(said) == [
        "acme: ticket older: only here, at sequence 3",
        "acme: ticket other: only here, at sequence 3",
    ]
    assert (against.totals.skipped, against.totals.different, against.totals.only_here) == (1, 0, 2)


async def test_what_arrives_while_it_is_looked_at_is_no_difference() -> None:
    world = await told_world()
    consumer = await world.consumer()

    async def arriving() -> AsyncIterator[Line]:
        yield Line("export:1", line("older", 7))
        yield Line("export:2", line("older", 7))

    loads = 0

    async def arrives_after_the_first_look() -> None:
        nonlocal loads
        loads += 1
        if loads == 2:
            world.store.before_load.clear()
            await consumer.consume(log_of(*(told(1, f"T{n}") for n in range(5)), told(7, "older"))[5:])

    world.store.before_load = [arrives_after_the_first_look, arrives_after_the_first_look]
    said: list[str] = []
    against = Against(world.store, said.append)
    await against.run(arriving())
    assert (loads, against.totals.different) == (2, 0)


async def test_missing_events_are_sent_whole_and_count_once_they_are_applied() -> None:
    world = await told_world()
    sent: list[Record] = []

    async def send(record: Record) -> None:
        sent.append(record)

    said: list[str] = []
    against = Against(world.store, said.append, send=send)
    await against.run(
        lines(
            line("never", 9, data={**DATA, "category": "vip", "fields": {"a": [1, 2.5, None]}}),
            line("older", 7),
            line("other", 3, data={**DATA, "team": "net"}),
            line("x", 1, tenant="nobody", data=DATA),
        )
    )
    assert [one.key for one in sent] == [b"acme/never"]
    assert against.totals.sent == 1
    assert said[0].endswith("the log has no event of it; sent")
    assert said[1].endswith("not sent: the export has no data for it")
    assert said[2].endswith("; not sent")
    value = sent[0].value
    assert value is not None
    event = json.loads(value)
    assert (event["type"], event["source"], event["sequence"]) == ("ticket.updated", "/audit", "9")
    decoded = decode(sent[0].key, value, [("content-type", b"application/cloudevents+json")], NOW_US // 1000)
    assert (decoded.tenant, decoded.ticket, decoded.sequence) == (TENANT, "never", 9)
    before = await world.counts("all", "vip")
    consumer = await world.consumer()
    await consumer.consume(log_of(*(told(1, f"T{n}") for n in range(5)), event)[5:])
    assert await world.counts("all", "vip") == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "JSON|truncated"),
        (b'{"tenant": "a b", "ticket": "t", "sequence": 1}', "tenant: must be"),
        (b'{"tenant": "a", "ticket": "", "sequence": 1}', "ticket: must be"),
        (b'{"tenant": "a", "ticket": "t", "sequence": -1}', "sequence: must be"),
        (b'{"tenant": "a", "ticket": "t", "sequence": "x"}', "sequence: must be"),
        (b'{"tenant": "a", "ticket": "t"}', "sequence"),
        (b'{"tenant": "a", "ticket": "t", "sequence": 1, "data": {}}', "data.status: missing"),
        (b'{"tenant": "a", "ticket": "t", "sequence": 1, "data": 7}', "data"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(text: bytes, problem: str) -> None:
    with pytest.raises(BadExport, match=f"^export:4: .*({problem})"):
        exported(Line("export:4", text))
