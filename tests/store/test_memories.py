"""What is remembered of wide tenants and of viewers with many teams stays small: by bytes, not by number alone."""

from service.domain.counting import contributions
from service.domain.counting.contributions import numbers_in
from service.store import keys


def test_wide_masks_are_read_right_and_not_remembered() -> None:
    before = contributions._remembered_numbers.cache_info().currsize
    for shift in range(100):
        mask = (1 << 4_000) | (1 << 700 + shift) | 1
        assert numbers_in(mask) == (0, 700 + shift, 4_000)
    assert contributions._remembered_numbers.cache_info().currsize == before
    assert numbers_in(0b1010) == (1, 3)


def test_keys_of_a_viewer_with_hundreds_of_teams_are_not_remembered() -> None:
    before = keys._remembered_keys.cache_info().currsize
    for number in range(50):
        counters = tuple(f"t:team-{number}-{team}" for team in range(500))
        found = keys.snapshot(3, "acme", "g1", counters, ("t:network",))
        assert found[2:] == (
            keys.counter(3, "acme", "g1", "*"),
            *(keys.counter(3, "acme", "g1", counter) for counter in counters),
            keys.timed(3, "acme", "g1", "t:network"),
        )
    assert keys._remembered_keys.cache_info().currsize == before
