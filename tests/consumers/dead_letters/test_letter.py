"""Dead letters read back: what was parked comes out as it was, and every condition chooses by what it says."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.dead_letters import arguments
from consumers.dead_letters.arguments import Offsets, Selection
from consumers.dead_letters.letter import Origin, ReadLetter, Whose, letter_in, whose_letter
from consumers.dead_letters.sender import DeadLetters, FloodGuard
from consumers.metrics import ConsumerMetrics
from tests.support.pipeline import FakeProducer, KafkaRecord

CATALOGUE = "ticket-catalogue"
HEADERS = st.lists(
    st.tuples(st.sampled_from(["reason", "topic", "ce_id", "offset"]), st.binary(max_size=4)), max_size=5
)


async def parked(record: KafkaRecord, reason: str) -> KafkaRecord:
    producer = FakeProducer()
    await DeadLetters(producer, "the-dead", ConsumerMetrics(), FloodGuard(10, 10, 1.0)).park(record, reason)
    return producer.sent[0]


@given(st.none() | st.binary(max_size=9), st.none() | st.binary(max_size=9), HEADERS, st.integers(0, 2**40))
async def test_what_was_parked_comes_out_as_it_was(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]], at_ms: int
) -> None:
    record = KafkaRecord(3, 17, key, value, tuple(headers), at_ms, "some-topic")
    letter = letter_in(await parked(record, "id: missing"))
    assert letter == ReadLetter(Origin("some-topic", 3, 17), "id: missing", at_ms, key, value, tuple(headers))


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("reason", b"r"), ("topic", b"t"), ("partition", b"0")),
        (("reason", b"r"), ("topic", b"t"), ("partition", b"0"), ("offset", b"x")),
        (("topic", b"t"), ("reason", b"r"), ("partition", b"0"), ("offset", b"1")),
    ],
)
def test_a_record_that_somebody_else_wrote_there_is_no_letter(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert letter_in(KafkaRecord(0, 0, b"acme/1", b"{}", headers)) is None


def letter(topic: str = "ticket-events", **changes: Any) -> ReadLetter:
    origin = Origin(topic, changes.pop("partition", 2), changes.pop("offset", 40))
    usual: dict[str, Any] = {"timestamp_ms": 1_000, "key": b"acme/INC1", "value": b"{}", "headers": ()}
    return ReadLetter(origin, "data.status: missing", **(usual | changes))


@pytest.mark.parametrize(
    ("one", "tenant", "ticket"),
    [
        (letter(), "acme", "INC1"),
        (letter(key=b"acme/a/b"), "acme", "a/b"),
        (letter(key=b"no slash"), "", ""),
        (letter(key=b"noslash"), "", ""),
        (letter(key=b"noslash", value=b'{"tenantid": "acme", "subject": "INC1"}'), "acme", "INC1"),
        (letter(key=b"a b/INC1", value=b'{"tenantid": "acme"}'), "acme", "INC1"),
        (letter(key=None, value=json.dumps({"tenantid": "acme", "subject": "INC1"}).encode()), "acme", "INC1"),
        (letter(key=None, value=b'{"tenantid": "acme", "x": "\\ud83d", "n": 1e400}'), "acme", ""),
        (letter(key=None, value=b'{"subject": "INC1", "x": ' + b"[" * 200 + b"]" * 200 + b"}"), "", "INC1"),
        (letter(key=None, value=b'{"tenantid": "a\\ud83d", "subject": "INC1"}'), "", "INC1"),
        (letter(key=None, value=b"\xff", headers=(("CE_TenantId", b"acme"), ("ce_subject", b"INC1"))), "acme", "INC1"),
        (letter(key=None, value=b'{"tenantid": 1, "subject": ["INC1"]}'), "", ""),
        (letter(key=None, value=b"[]"), "", ""),
        (letter(key=None, value=b'{"x": ' + b"[" * 100_000), "", ""),
        (letter(key=None, value=None), "", ""),
        (letter(CATALOGUE, key=b"filter/acme/f/1"), "acme", ""),
        (letter(CATALOGUE, key=b"tenant/acme"), "acme", ""),
        (letter(CATALOGUE, key=b"realm/acme"), "", ""),
        (letter(CATALOGUE, key=b"credential/c", value=b'{"tenant": "acme"}'), "acme", ""),
        (letter(CATALOGUE, key=None, value=b'{"tenant": "acme"}'), "acme", ""),
    ],
)
def test_whose_record_it_is_stands_in_its_key_its_headers_or_in_itself(
    one: ReadLetter, tenant: str, ticket: str
) -> None:
    assert whose_letter(one, CATALOGUE) == Whose(tenant, ticket)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "--all"),
        (["replay", "--json"], "--all"),
        (["replay", "--all", "--tenant", "acme"], "--all: beside conditions"),
        (["list", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_every_letter_is_sent_again_only_where_that_is_said(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse(["program", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    for meant in (["--all"], ["--dry-run"], ["--partition", "0"], ["--tenant", "acme"]):
        arguments.parse(["program", "replay", *meant])


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        (Selection(tenant="acme"), Selection(tenant="globex")),
        (Selection(reason="STATUS"), Selection(reason="priority")),
        (Selection(topic="ticket-events"), Selection(topic=CATALOGUE)),
        (Selection(partition=2), Selection(partition=0)),
        (Selection(offsets=Offsets(40, 40)), Selection(offsets=Offsets(41, None))),
        (Selection(offsets=Offsets(0, None)), Selection(offsets=Offsets(0, 39))),
        (Selection(since=1_000_000), Selection(since=1_000_001)),
        (Selection(until=1_000_001), Selection(until=1_000_000)),
    ],
)
def test_each_condition_chooses_and_all_must_hold(yes: Selection, no: Selection) -> None:
    assert yes.takes(letter(), CATALOGUE)
    assert not no.takes(letter(), CATALOGUE)
    assert Selection().takes(letter(), CATALOGUE)


def test_the_command_line_says_which_letters_are_meant() -> None:
    words = ["--tenant", "acme", "--offsets", "3-", "--until", "1970-01-01T00:00:01Z", "--partition", "0"]
    chosen = arguments.selection(arguments.parse(["program", "list", *words]))
    assert chosen == Selection(tenant="acme", offsets=Offsets(3, None), until=1_000_000, partition=0)
    alone = arguments.selection(arguments.parse(["program", "replay", "--offsets", "7"]))
    assert alone.offsets == Offsets(7, 7)


@pytest.mark.parametrize(
    "words", [["--offsets", "9-3"], ["--since", "yesterday"], ["--partition", "-1"], ["--tenant", "a b"], ["--dry-run"]]
)
def test_what_makes_no_sense_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        arguments.parse(["program", "list", *words])
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err
