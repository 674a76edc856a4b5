"""What the bounded mapping remembers."""

from service.lru import Lru


def test_what_was_not_used_for_longest_makes_room() -> None:
    remembered: Lru[str, int] = Lru(2)
    remembered.put("a", 1)
    remembered.put("b", 2)
    assert remembered.get("a") == 1
    remembered.put("c", 3)
    assert (remembered.get("a"), remembered.get("b"), remembered.get("c")) == (1, None, 3)
    remembered.put("a", 4)
    remembered.drop("c")
    remembered.drop("never there")
    assert (len(remembered), remembered.get("a")) == (1, 4)


def test_without_places_nothing_is_remembered() -> None:
    nothing: Lru[str, int] = Lru(0)
    nothing.put("a", 1)
    assert nothing.get("a") is None
