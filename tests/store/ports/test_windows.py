"""What both stores promise of counts kept by time: any span of quarters of an hour, in any scope, as if counted."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.counting.scopes import EVERYONE, parts_of
from service.domain.tickets.ticket import TimeBucket
from service.store.ports.reading import CountQuery, Window
from service.store.ports.steps import TenantBatch
from tests.fakes.memory_store import MemoryStore
from tests.store.contract import BUCKETS, TENANT, Store, applied, stored
from tests.support.examples import examples

COUNTERS = (EVERYONE, "t:net", "a:ann", "r:rob")
PARTS = {EVERYONE: ("",), "t:net": ("",), "a:ann": ("", "t:net", "t:dba"), "r:rob": ("", "t:net", "a", "at:net")}
SCOPES = [(counter, part) for counter in COUNTERS for part in PARTS[counter]]
FIRST = 1_994_400  # the first quarter of some day
COLUMNS = (0, 7, 70)

Changes = Mapping[tuple[str, str], Mapping[TimeBucket, int]]


def time_buckets_batch(changes: Changes) -> TenantBatch:
    """What comes to these in places: each counter and part with its moments."""
    time_buckets: dict[str, dict[str, Mapping[TimeBucket, int]]] = {}
    for (counter, part), found in changes.items():
        time_buckets.setdefault(counter, {})[part] = found
    return TenantBatch(TENANT, "t1", "g1", (), {}, None, time_buckets)


async def timed(store: Store, *windows: Window) -> tuple[int, ...]:
    query = CountQuery(TENANT, "t1", "g1", (), (), 0, COUNTERS, windows)
    found = await store.snapshot(query)
    assert found is not None
    return found.timed


def window(column: int, *spans: tuple[int, int], scopes: tuple[tuple[str, str], ...]) -> Window:
    return Window(column, spans, tuple((COUNTERS.index(counter), part) for counter, part in scopes))


async def test_a_window_sums_its_spans_and_nothing_else(store: Store) -> None:
    everyone = {(7, FIRST + quarter): 1 for quarter in range(0, 3 * 96, 5)}
    await applied(store, time_buckets_batch({(EVERYONE, ""): everyone}))
    for spans in (((0, 96),), ((1, 97),), ((3, 7),), ((5, 5),), (), ((0, 3 * 96),), ((2, 40), (96, 100), (110, 288))):
        absolute = tuple((FIRST + first, FIRST + beyond) for first, beyond in spans)
        expected = sum(first <= quarter < beyond for first, beyond in spans for quarter in range(0, 3 * 96, 5))
        assert await timed(store, window(7, *absolute, scopes=((EVERYONE, ""),))) == (expected,), spans
    assert await timed(store, window(8, (FIRST, FIRST + 96), scopes=((EVERYONE, ""),))) == (0,)


async def test_a_persons_parts_are_scopes(store: Store) -> None:
    parts = {("r:rob", part): {(7, FIRST): 10**place} for place, part in enumerate(("", "t:net", "a", "at:net"))}
    await applied(store, time_buckets_batch({**parts, ("t:net", ""): {(7, FIRST): 10_000}}))
    asked = (("r:rob", ""), ("r:rob", "a"), ("r:rob", "t:net"), ("r:rob", "at:net"), ("t:net", ""))
    windows = [window(7, (FIRST, FIRST + 1), scopes=(scope,)) for scope in asked]
    assert await timed(store, *windows) == (1111, 1100, 1010, 1000, 10_000)
    assert await timed(store, window(7, (FIRST, FIRST + 1), scopes=(asked[0], asked[4]))) == (11_111,)


async def test_a_moment_that_comes_out_even_leaves_nothing_and_below_zero_is_drift(store: Store) -> None:
    there = {(EVERYONE, ""): {(7, FIRST): 1}, ("a:ann", ""): {(7, FIRST): 1}}
    await applied(store, time_buckets_batch(there))
    back = {place: {moment: -count for moment, count in found.items()} for place, found in there.items()}
    assert (await applied(store, time_buckets_batch(back))).negative == 0
    outcome = await applied(store, time_buckets_batch({("a:ann", ""): {(7, FIRST): -1}}))
    assert outcome.negative == 1


async def test_a_change_by_time_alone_is_a_version(store: Store) -> None:
    outcome = await applied(store, time_buckets_batch({(EVERYONE, ""): {(7, FIRST): 1}}))
    assert TENANT in outcome.versions


places = st.dictionaries(
    st.sampled_from(SCOPES),
    st.dictionaries(
        st.tuples(st.sampled_from(COLUMNS), st.integers(FIRST - 200, FIRST + 200)), st.integers(1, 9), max_size=6
    ),
    max_size=5,
)
spans = st.lists(st.integers(FIRST - 220, FIRST + 220), min_size=2, max_size=6).map(
    lambda ends: tuple(zip(sorted(ends)[::2], sorted(ends)[1::2], strict=False))
)


@settings(max_examples=examples(40))
@given(st.lists(places, max_size=3), st.lists(st.tuples(st.sampled_from(COLUMNS), spans), max_size=4))
async def test_the_memory_store_sums_as_one_would_by_hand(
    batches: list[Changes], asked: list[tuple[int, tuple[tuple[int, int], ...]]]
) -> None:
    store = MemoryStore(BUCKETS)
    assert await store.put_tenant(TENANT, None, stored())
    await _compare(store, batches, asked)


async def test_redis_sums_as_one_would_by_hand(redis_store: Store) -> None:
    seen: list[tuple[list[Changes], list[tuple[int, tuple[tuple[int, int], ...]]]]] = []

    @settings(max_examples=examples(25), database=None)
    @given(st.lists(places, max_size=3), st.lists(st.tuples(st.sampled_from(COLUMNS), spans), max_size=4))
    def draw(batches: list[Changes], asked: list[tuple[int, tuple[tuple[int, int], ...]]]) -> None:
        seen.append((batches, asked))

    draw()
    for number, (batches, asked) in enumerate(seen):
        assert await redis_store.drop_tenant(TENANT, "t1")
        generation = f"g{number + 10}"
        assert await redis_store.put_tenant(TENANT, None, stored(generation=generation))
        await _compare(redis_store, batches, asked, generation)


async def _compare(
    store: Store,
    batches: list[Changes],
    asked: list[tuple[int, tuple[tuple[int, int], ...]]],
    generation: str = "g1",
) -> None:
    total: dict[str, dict[str, dict[TimeBucket, int]]] = {}
    for changes in batches:
        one = time_buckets_batch(changes)
        await applied(store, TenantBatch(TENANT, "t1", generation, (), {}, None, one.time_buckets))
        for (counter, part), found in changes.items():
            sums = total.setdefault(counter, {}).setdefault(part, {})
            for moment, count in found.items():
                sums[moment] = sums.get(moment, 0) + count
    for column, wanted in asked:
        windows = [window(column, *wanted, scopes=(scope,)) for scope in SCOPES]
        query = CountQuery(TENANT, "t1", generation, (), (), 0, COUNTERS, tuple(windows))
        snapshot = await store.snapshot(query)
        assert snapshot is not None
        expected = tuple(
            sum(
                count
                for found in parts_of(part, total.get(counter, {}))
                for (of, quarter), count in found.items()
                if of == column and any(first <= quarter < beyond for first, beyond in wanted)
            )
            for counter, part in SCOPES
        )
        assert snapshot.timed == expected
