"""Catalogue entries of every shape: each comes into force or says where it is wrong, and none breaks what counts."""

import asyncio
import json
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from consumers.catalogue.printing import printed
from consumers.catalogue.showing import shown
from consumers.publishing.ndjson import BadLine, Record, record
from service.domain.catalogue.catalogue import Credential, EntryError, Filter, Profile, Realm, TenantSettings
from service.domain.catalogue.entries import Entry, Removal, parse_record
from service.domain.conditions.condition import Condition, ConditionError
from service.domain.conditions.where import EXACT_WHERE, parse_where
from service.domain.counting.viewer import Perspective, Role, Viewer
from service.domain.json_reading import UnpairedSurrogate, read_json
from service.domain.tenants.record import TenantRecord, new_record
from service.domain.tenants.tenant_entries import Entries, columns_of
from service.domain.tenants.view import CountRequest, TenantView
from service.store.codec import pack_entry, unpack_credential, unpack_realm, unpack_record
from tests.consumers.small_world import NOW_US, TENANT, SmallWorld, counts, log_of, tenant_entry, told
from tests.domain.catalogue.test_entries import GOOD
from tests.fuzz.damage import VALUES, WORDS, altered, damaged, written
from tests.fuzz.rounds import fuzz, within_its_time
from tests.oracle.generated import grammar
from tests.support.days import day

pytestmark = [within_its_time, pytest.mark.usefixtures("silent")]

ANY_JSON = msgspec.json.Decoder()
KEYS = st.sampled_from(sorted(GOOD))
VIEWERS = [
    Viewer("ann", role, frozenset({"x"}), frozenset({role.value})) for role in (Role.ADMIN, Role.AGENT, Role.USER)
]


def taken(key: bytes | None, value: bytes | None) -> Entry | Removal | str:
    """What becomes of a record: in force, or the reason why not, in one line."""
    try:
        return parse_record(key, value)
    except EntryError as error:
        reason = str(error)
        assert ": " in reason
        assert "\n" not in reason
        return reason


def good_or_refused(key: bytes | None, value: bytes | None) -> None:
    entry = taken(key, value)
    assert taken(key, value) == entry, "the same each time"
    if not isinstance(entry, Entry):
        return
    match entry.value:
        case Realm():
            assert unpack_realm(pack_entry(entry.value)) == entry.value
        case Credential():
            assert unpack_credential(pack_entry(entry.value)) == entry.value
        case TenantSettings():
            served(new_record(Entries(entry.value), 1))
        case Filter() | Profile():
            served(new_record(entries_with(entry.value), 1))


def entries_with(saved: Filter | Profile) -> Entries:
    tenant = parse_record(b"tenant/t-1", json.dumps(GOOD["tenant/t-1"]).encode())
    assert isinstance(tenant, Entry)
    assert isinstance(tenant.value, TenantSettings)
    if isinstance(saved, Filter):
        return Entries(tenant.value, {saved.id: saved})
    return Entries(tenant.value, {}, {saved.id: saved})


def served(tenant: TenantRecord) -> None:
    """The record is stored as it is, and answers every viewer who may ask."""
    assert unpack_record(pack_entry(tenant)) == tenant
    assert columns_of(tenant.entries)
    assert list(shown(tenant, None))
    view = TenantView(tenant)
    for viewer in VIEWERS:
        for filter_ in ("all", *tenant.entries.filters):
            saved = tenant.entries.filters.get(filter_)
            if filter_ == "all" or (saved and saved.owner is None and saved.perspectives is None):
                view.plan(CountRequest(viewer, Perspective.TEMPLATE, (filter_,)), day("Europe/Berlin", NOW_US))
    conditions = [saved.where for saved in tenant.entries.filters.values()]
    conditions += [saved.where for saved in tenant.entries.profiles.values()]
    assert all(map(printed, conditions))


@st.composite
def entries(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A good entry, altered, under a key that mostly fits."""
    key = draw(KEYS)
    value = draw(altered(st.just(GOOD[key])))
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([k.encode() for k in GOOD]) | st.binary(max_size=12)), value
    return key.encode(), value


def test_damaged_bytes_are_good_or_refused() -> None:
    fuzz(
        good_or_refused,
        KEYS.map(str.encode) | damaged(KEYS.map(str.encode)) | st.none(),
        damaged(st.sampled_from([json.dumps(value).encode() for value in GOOD.values()])) | st.binary(max_size=40),
    )


def test_altered_entries_are_good_or_refused() -> None:
    fuzz(lambda entry: good_or_refused(entry[0], written(entry[1])), entries())


FIELDS = st.sampled_from((*grammar.OPERATORS, "fields.x", "fields.", "state2")) | WORDS
OPERATORS = st.sampled_from(sorted(grammar.CUSTOM_FIELD)) | WORDS
COMPARED = VALUES | st.lists(WORDS, max_size=3)
LEAVES = st.fixed_dictionaries({"field": FIELDS, "op": OPERATORS}, optional={"value": COMPARED})
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES | VALUES,
    lambda inner: (
        st.fixed_dictionaries({}, optional={"all": st.lists(inner, max_size=3), "any": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=8,
)


def compiled(where: bytes) -> Condition | str:
    """The condition, or why there is none."""
    try:
        return parse_where(read_json(ANY_JSON, where, EXACT_WHERE))
    except UnpairedSurrogate as error:
        return f"where.{error}"
    except ConditionError as error:
        return str(error)


def test_conditions_compile_only_where_an_independent_grammar_takes_them() -> None:
    def agree(tree: Any) -> None:
        condition = compiled(written(tree))
        if isinstance(condition, str):
            assert condition.startswith("where")
            return
        grammar.check(json.loads(written(tree), parse_int=float))  # `int` takes at most 4,300 digits
        served(new_record(entries_with(Filter("f", "F", "custom", condition)), 1))

    fuzz(agree, TREES)


def recorded(line: bytes) -> Record | str:
    """What the line publishes, or why it doesn't."""
    try:
        return record(line)
    except BadLine as bad:
        return str(bad)


def test_what_is_published_has_the_key_of_what_it_says() -> None:
    def publish(entry: tuple[bytes, dict[str, Any]], kind: str) -> None:
        line = b'{"kind": %b, "value": %b}' % (json.dumps(kind).encode(), written(entry[1]))
        published = recorded(line)
        if isinstance(published, str):
            assert "\n" not in published
            return
        assert published.key is not None
        outcome = taken(published.key, published.value)
        assert not (isinstance(outcome, str) and "but its value" in outcome), outcome

    kinds = st.sampled_from([key.partition("/")[0] for key in GOOD]) | WORDS
    fuzz(publish, entries(), kinds)


def test_damaged_lines_are_published_or_bad() -> None:
    lines = [json.dumps({"kind": key.partition("/")[0], "value": value}).encode() for key, value in GOOD.items()]

    def publish(line: bytes) -> None:
        published = recorded(line)
        if not isinstance(published, str) and not published.is_event:
            taken(published.key, published.value)

    fuzz(publish, damaged(st.sampled_from(lines)))


def test_no_entry_breaks_the_consumer() -> None:
    """Its tenant goes on by the last good ones."""

    async def learn(altered_entries: list[tuple[bytes, dict[str, Any]]]) -> None:
        world = SmallWorld(tenant_entry("t-1"), tenant_entry())
        for key, value in altered_entries:
            world.topic.append(key, written(value))
        consumer = await world.consumer()
        while consumer.catalogue_sync.to_backfill:
            await consumer.backfill()
        await consumer.consume(log_of(told(1), told(1, "T2", tenant="t-1")))
        assert await counts(world.store, ("all",), tenant=TENANT) == (1,)
        stored = await world.store.tenant("t-1")
        if stored is not None and not stored.record.newest.settings.loading:
            assert await counts(world.store, ("all",), tenant="t-1") == (1,)

    with asyncio.Runner() as runner:
        fuzz(lambda some: runner.run(learn(some)), st.lists(entries(), min_size=1, max_size=4))


def test_the_examples_are_good() -> None:
    for key, value in GOOD.items():
        assert isinstance(taken(key.encode(), msgspec.json.encode(value)), Entry)
