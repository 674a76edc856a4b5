"""Bodies of the largest size: none holds the event loop, and each has the answer that a small one would have."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import turns
from service.domain.counting.viewer import Perspective
from service.domain.json_reading import json_number, read_json
from service.domain.steps import at_once
from service.web.api import parameters
from service.web.api.parameters import COUNT_BODY
from service.web.api.preview import PATH as PREVIEW
from service.web.api.preview import PREVIEW_BODY
from service.web.http import large_bodies
from service.web.http.errors import Refused
from service.web.models.requests import MAX_FILTER_IDS
from tests.support.turns import turns_of_others
from tests.web.api.test_bad_requests import BODIES
from tests.web.world import COUNT, QUERY, World

MIB = 1_048_576

LEAF = {"field": "status", "op": "eq", "value": "3745"}


def full(before: bytes, again: bytes, after: bytes) -> bytes:
    """A body of 1 MiB: what comes again fills it."""
    return before + again * ((MIB - len(before) - len(after)) // len(again)) + after


def of_distinct_ids() -> bytes:
    return json.dumps({"filterIds": [f"{n:07}" for n in range(MIB // 11)]}, separators=(",", ":")).encode()


class Case(NamedTuple):
    """`field` is what a refusal is about; `reads_all` says that no part of the body decides before its end."""

    path: str
    body: bytes
    field: str | None
    reads_all: bool = True


WITH_LEAF = b'{"where":' + json.dumps(LEAF).encode()

CASES = {
    "one id again and again": Case(COUNT, full(b'{"filterIds":[', b'"all",', b'"all"]}'), None),
    "one id in two spellings": Case(COUNT, full(b'{"filterIds":[', b'"all","\\u0061ll",', b'"all"]}'), None),
    "distinct ids": Case(COUNT, of_distinct_ids(), "filterIds", reads_all=False),
    "a number behind all ids": Case(COUNT, full(b'{"filterIds":[', b'"all",', b"1]}"), "filterIds"),
    "an empty id behind all others": Case(COUNT, full(b'{"filterIds":[', b'"all",', b'""]}'), "filterIds"),
    "half a pair behind all ids": Case(
        COUNT, full(b'{"filterIds":[', b'"all",', b'"\\ud800"]}'), "filterIds", reads_all=False
    ),
    "half pairs in what is ignored": Case(COUNT, full(b'{"filterIds":["all"],"x":["', b"\\ud800", b'"]}'), None),
    "numbers beside half a pair": Case(
        COUNT, full(b'{"filterIds":["all"],"y":"\\ud800","x":[', b"1,", b"1]}"), None, reads_all=False
    ),
    "escapes": Case(COUNT, full(b'{"filterIds":["all"],"y":"\\ud800","x":"', b"\\n", b'"}'), None),
    "lists": Case(PREVIEW, full(b'{"where":[', b"[],", b"[]]}"), "where", reads_all=False),
    "values": Case(
        PREVIEW, full(b'{"where":{"field":"status","op":"in","value":[', b'"a",', b'"a"]}}'), "where", reads_all=False
    ),
    "leaves beside half a pair": Case(
        PREVIEW, full(b'{"x":"\\ud800","where":{"all":[', b"{},", b"{}]}}"), "where", reads_all=False
    ),
    "half pairs": Case(PREVIEW, full(b'{"where":{"field":"status","op":"eq","value":"', b"\\ud800", b'"}}'), "where"),
    "ids that are ignored": Case(PREVIEW, full(WITH_LEAF + b',"filterIds":[', b'"a",', b"1]}"), None, reads_all=False),
    "a number beside escapes": Case(
        PREVIEW, full(b'{"where":{"field":"fields.x","op":"eq","value":1e999},"x":"', b"\\n", b'"}'), None
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_it_is_answered_as_a_small_one_and_others_have_their_turns_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(turns, "SLICE_S", 0.0)
    case = CASES[name]
    headers = world.headers() | {"content-type": "application/json"}

    async def ask(content: bytes) -> tuple[int, httpx.Response]:
        return await turns_of_others(world.client.post(f"{case.path}?{QUERY}", content=content, headers=headers))

    small = b'{"filterIds":["all"]}' if case.path == COUNT else WITH_LEAF + b"}"
    await ask(small)  # what is compiled once is compiled by now
    usual, answer = await ask(small if case.field is None else b"{}")
    assert answer.status_code == (200 if case.field is None else 400)
    took, answer = await ask(case.body)
    if case.field is None:
        assert answer.status_code == 200, answer.text
    else:
        assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"field": case.field})
    assert took > usual + 50 or not case.reads_all


@pytest.mark.parametrize("name", CASES)
def test_no_step_takes_as_long_as_to_decode_all_of_it_at_once(name: str) -> None:
    """By this thread's own time, so that other work on the machine has no say."""
    case = CASES[name]
    expected: Any = COUNT_BODY if case.path == COUNT else PREVIEW_BODY
    at_once_s = min(spent_s(lambda: COUNT_BODY.decoder.decode(CASES["one id again and again"].body)) for _ in range(5))
    assert min(longest_step_s(case.body, expected) for _ in range(5)) < at_once_s


def spent_s(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def longest_step_s(body: bytes, expected: Any) -> float:
    """The longest piece of reading a large body, the decoding of what is left of it included."""
    steps, longest, going_on = large_bodies.reduced(body, expected.decoder.type, MAX_FILTER_IDS), 0.0, True

    def step() -> None:
        nonlocal going_on
        try:
            next(steps)
        except StopIteration as end:
            going_on = False
            with contextlib.suppress(Refused):
                expected.read(end.value)
        except Refused:
            going_on = False

    while going_on:
        longest = max(longest, spent_s(step))
    return longest


def test_numbers_near_the_ends_of_the_range_cost_no_more_than_others() -> None:
    def decoding_s(number: bytes) -> float:
        body = b'{"where":[%s]}' % b",".join([number] * 5_000)
        return min(spent_s(lambda: PREVIEW_BODY.decoder.decode(body)) for _ in range(5))

    assert decoding_s(b"8.5e307") < 5 * decoding_s(b"8.5e3")


@pytest.mark.parametrize(("body", "field"), BODIES, ids=[str(body[:60]) for body, _ in BODIES])
def test_what_does_not_fit_is_refused_alike_in_a_large_body(body: bytes, field: str) -> None:
    with pytest.raises(Refused) as refused:
        counted(body)
    assert refused.value.details == {"field": field}


def counted(body: bytes) -> object:
    """What a count's body asks for, read as large ones are."""
    small = at_once(large_bodies.reduced(body, COUNT_BODY.decoder.type, MAX_FILTER_IDS))
    return parameters.parameters_of(Perspective.TEMPLATE, COUNT_BODY.read(small))


ids = st.lists(st.text(st.sampled_from('ab"\\,[]{}\né😀'), min_size=1, max_size=4), min_size=1, max_size=600)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


@given(ids, anything, st.booleans())
def test_ids_are_read_as_in_a_small_body(ids: list[str], ignored: object, ascii_only: bool) -> None:
    document = {"x": ignored, "filterIds": ids, "timezone": "Asia/Tokyo"}
    body = json.dumps(document, ensure_ascii=ascii_only, indent=len(ids) % 2 or None).encode("utf-8", "surrogatepass")
    distinct = tuple(dict.fromkeys(ids))
    if len(distinct) > 500:
        with pytest.raises(Refused):
            counted(body)
    else:
        assert counted(body) == parameters.CountParameters(Perspective.TEMPLATE, distinct, None, "Asia/Tokyo")


PIECES = [r"\ud83d", r"\ude00", r"\uD83D\uDE00", r"\\\\", r"\\u", r"\n", r"\"", "a", "ud800", r"\uFFFD", "\U0001f600"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.integers(20, 40))
def test_halves_of_pairs_are_found_wherever_a_step_ends(text: str, segment_bytes: int) -> None:
    body = b'{"filterIds":["all","%s"]}' % text.encode()
    is_exact = not any("\ud800" <= letter <= "\udfff" for letter in json.loads(body)["filterIds"][1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large_bodies, "SEGMENT_BYTES", segment_bytes)
        if is_exact and text:
            assert counted(body) == parameters.CountParameters(
                Perspective.TEMPLATE, tuple(dict.fromkeys(json.loads(body)["filterIds"])), None, "UTC"
            )
        else:
            with pytest.raises(Refused):
                counted(body)


@given(anything, st.sampled_from([b"1e999", b"-1E+400", b"1" * 400, b"1" * 5_000, b"0.5", b"12"]))
def test_a_condition_is_read_as_in_a_small_body(where: object, number: bytes) -> None:
    body = b'{"where":[%s,%s,"1e999"]}' % (json.dumps(where).encode(), number)
    small = at_once(large_bodies.reduced(body, PREVIEW_BODY.decoder.type, MAX_FILTER_IDS))
    first, read, text = read_json(PREVIEW_BODY.decoder, small, {}).where
    assert (first, text) == (where, "1e999")
    assert json_number(read) == json_number(read_json(PREVIEW_BODY.decoder, body, {}).where[1])
