"""Distinct ids are counted once, however often and in whatever order they come."""

from hypothesis import given
from hypothesis import strategies as st

from service.queries.previews import DIGEST_BYTES, SHARES, Distinct


@given(st.lists(st.text(max_size=4) | st.sampled_from(("a", "á", "á", "A"))))
def test_each_id_counts_once(names: list[str]) -> None:
    distinct = Distinct()
    for name in names:
        distinct.add(name)
    assert sum(distinct.totals()) == len(set(names))


def test_many_ids_are_counted_in_small_parts_and_take_a_digest_each() -> None:
    distinct = Distinct()
    for number in range(20_000):
        distinct.add(f"INC{number:07}" + "x" * 100)
    parts = list(distinct.totals())
    assert (sum(parts), len(parts)) == (20_000, SHARES)
    assert max(parts) < 200
    assert sum(len(share) for share in distinct._shares) == 20_000 * DIGEST_BYTES
