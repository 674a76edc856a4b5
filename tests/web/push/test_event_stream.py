"""The tests' own reader of event streams: it reads what is right, however it is cut, and refuses what is doubtful."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.web.push.frames import frame
from tests.web.push.streaming.event_stream import BadStream, Event, Parser, state_after

ID = "ab.7.view"


@given(st.lists(st.text(max_size=30), max_size=4), st.lists(st.integers(0, 400), max_size=6), st.booleans())
@example(["a\x85b", "\u2028", "c\u2029"], [], False)
def test_frames_are_read_back_whatever_they_say_and_however_they_are_cut(
    texts: list[str], cuts: list[int], retry: bool
) -> None:
    texts = [text.encode(errors="replace").decode() for text in texts]  # JSON can't hold half a surrogate pair
    encoded = b"".join(
        frame("counts", ID, {"text": text, "version": ID}, 5 if retry else None).encoded for text in texts
    )
    parser, events, before = Parser(), [], 0
    for cut in [*sorted(cuts), len(encoded)]:
        events += parser.feed(encoded[before:cut])
        before = max(before, cut)
    parser.end()
    assert events == [Event("counts", ID, {"text": text, "version": ID}, 5 if retry else None) for text in texts]


def read_whole(stream: bytes) -> None:
    parser = Parser()
    parser.feed(stream)
    parser.end()


GOOD = f'event: counts\nid: {ID}\ndata: {{"version":"{ID}"}}\n\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n", "\r\n"),
        ("event: counts\n", ""),
        ("event: counts", "event: message"),
        ("event: ", "event:"),
        (f"id: {ID}\n", ""),
        (f"id: {ID}", "id: garbage"),
        (f"id: {ID}", "id: ab.8.view"),
        (f"id: {ID}", f"id: {ID}\0"),
        (f"id: {ID}", f"id: {ID}\n: a comment"),
        (f"id: {ID}", f"id: {ID}\nretry: soon"),
        (f"id: {ID}", f"id: {ID}\nid: {ID}"),
        ("data: ", "datum: "),
        ("data: {", "data: {\ndata: "),
        ('{"version"', '["version"'),
        ("{", '{"name":"\x85",'),
        ("{", '{"name":"\u2028",'),
        ("{", '{"name":"\u2029",'),
        ("event", "\ufeffevent"),
    ],
)
def test_what_clients_read_differently_is_refused(old: str, new: str) -> None:
    assert Parser().feed(GOOD.encode())
    bad = GOOD.replace(old, new)
    assert bad != GOOD
    with pytest.raises((BadStream, ValueError)):
        read_whole(bad.encode())


def test_a_stream_that_breaks_off_inside_an_event_is_refused() -> None:
    with pytest.raises(BadStream):
        read_whole(GOOD.encode() + GOOD[:-1].encode())


def test_what_a_client_shows_is_the_sum_of_its_events() -> None:
    whole = {"counts": {"a": 1, "b": 2}, "summary": {"x": 1}, "fresh": True, "version": ID}
    events = [
        Event("snapshot", ID, whole),
        Event("counts", ID, {"counts": {"a": 5}, "summary": {}, "version": "ab.8.view"}),
        Event("heartbeat", ID, {"fresh": False, "version": "ab.9.view"}),
        Event("bye", ID, {"reason": "drain", "version": "ab.9.view"}),
    ]
    assert state_after(events) == {**whole, "counts": {"a": 5, "b": 2}, "fresh": False, "version": "ab.9.view"}
