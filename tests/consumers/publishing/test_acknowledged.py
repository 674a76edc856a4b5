"""Which records were acknowledged: exactly those, however their offsets lie."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.publishing.acknowledgements import Acknowledged

PLACES = st.tuples(st.sampled_from(["events", "catalogue"]), st.integers(0, 2), st.integers(0, 30))


@given(st.lists(PLACES))
def test_exactly_what_was_added_is_in_it(places: list[tuple[str, int, int]]) -> None:
    acknowledged = Acknowledged()
    for place in places:
        acknowledged.add(*place)
    for topic in ("events", "catalogue", "elsewhere"):
        for partition in range(3):
            assert {offset for offset in range(-1, 32) if (topic, partition, offset) in acknowledged} == {
                offset for name, number, offset in places if (name, number) == (topic, partition)
            }
        ends = {number: offset + 1 for name, number, offset in sorted(places) if name == topic}
        assert acknowledged.ends(topic) == ends


def test_a_long_run_takes_the_room_of_one() -> None:
    acknowledged = Acknowledged()
    for offset in range(100_000):
        acknowledged.add("events", 0, offset)
    assert acknowledged._runs == {("events", 0): [(0, 100_000)]}
