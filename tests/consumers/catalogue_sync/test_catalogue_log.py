"""The catalogue as its topic tells it: newest good entries, versions that are offsets, nothing lost to bad records."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from consumers.catalogue_sync.catalogue_log import CatalogueLog, Touched
from service.domain.catalogue.catalogue import EntryError, TenantSettings
from tests.consumers.small_world import TENANT, filter_entry, removal, tenant_entry
from tests.domain.catalogue.test_entries import EC
from tests.support.pipeline import published

REALM = {"kind": "realm", "value": {"name": "r", "issuer": "https://id", "jwks": {"keys": [EC]}}}


def filled(*items: Mapping[str, Any]) -> CatalogueLog:
    log = CatalogueLog()
    for offset, (key, value) in enumerate(published(items).records):
        log.take(offset, key, value)
    return log


def taken(log: CatalogueLog, offset: int, item: Mapping[str, Any]) -> Touched:
    ((key, value),) = published([item]).records
    return log.take(offset, key, value)


def bad(log: CatalogueLog, offset: int, key: bytes, value: bytes = b'{"no": "entry"}') -> None:
    with pytest.raises(EntryError):
        log.take(offset, key, value)


def names(log: CatalogueLog, tenant: str = TENANT) -> list[str]:
    found = log.entries(tenant)
    assert found is not None
    return sorted(found[0].filters)


def test_a_tenant_s_version_is_the_offset_of_the_last_record_that_touched_it() -> None:
    log = filled(tenant_entry(), tenant_entry("other"), filter_entry())
    assert [version for found in map(log.entries, (TENANT, "other")) if found for version in found[1:]] == [2, 1]
    assert taken(log, 7, removal("filter", "vip", TENANT)) == Touched(frozenset((TENANT,)))
    assert log.entries(TENANT) is not None
    assert names(log) == []
    assert log.entries(TENANT)[1] == 7  # type: ignore[index]


def test_entries_wait_for_their_tenant_and_tenants_for_their_realm() -> None:
    log = filled(filter_entry())
    assert log.entries(TENANT) is None
    assert taken(log, 5, tenant_entry()) == Touched(frozenset((TENANT,)))
    assert names(log) == ["vip"]
    assert log.realms() == {}


def test_a_realm_touches_its_tenants() -> None:
    log = filled(tenant_entry(), tenant_entry("far", realm="elsewhere"))
    touched = taken(log, 9, REALM)
    assert touched == Touched(frozenset((TENANT,)), realms=frozenset(("r",)))
    assert log.entries(TENANT)[1] == 9  # type: ignore[index]
    assert log.entries("far")[1] == 1  # type: ignore[index]
    assert taken(log, 12, removal("realm", "r")).tenants == {TENANT}
    assert log.realms() == {"r": (12, None)}
    assert log.entries(TENANT)[1] == 12  # type: ignore[index]


def test_a_credential_touches_no_tenant() -> None:
    value = {
        "identifier": "id/1",
        "secretSha256": "ab" * 32,
        "tenant": TENANT,
        "admin": {"id": "1", "name": "A", "username": "a"},
        "teams": [],
    }
    log = filled(tenant_entry())
    assert taken(log, 4, {"kind": "credential", "value": value}) == Touched(credentials=frozenset(("id/1",)))
    assert log.credentials()["id/1"][0] == 4
    assert log.entries(TENANT)[1] == 0  # type: ignore[index]


def test_a_bad_entry_leaves_the_last_good_one_and_the_version() -> None:
    log = filled(tenant_entry(), filter_entry())
    bad(log, 5, b"filter/acme/vip")
    bad(log, 6, b"tenant/acme")
    bad(log, 7, b"filter/acme/vip", json.dumps(filter_entry("other")["value"]).encode())
    assert names(log) == ["vip"]
    assert log.entries(TENANT)[1] == 1  # type: ignore[index]
    assert log.rejected(TENANT) == {("filter", "vip"), ("tenant", TENANT)}
    taken(log, 8, filter_entry())
    assert log.rejected(TENANT) == {("tenant", TENANT)}


def test_a_bad_entry_of_a_tenant_not_heard_of_makes_no_tenant() -> None:
    log = CatalogueLog()
    bad(log, 0, b"filter/acme/vip")
    bad(log, 1, b"nonsense")
    bad(log, 2, b"\xff")
    with pytest.raises(EntryError):
        log.take(3, None, b"{}")
    assert log.entries(TENANT) is None


def test_the_last_settings_stand_in_where_the_log_has_none() -> None:
    log = CatalogueLog()
    bad(log, 3, b"tenant/acme")
    taken(log, 4, filter_entry())
    last = TenantSettings(TENANT, "Acme", "r")
    assert log.entries(TENANT) is None
    found = log.entries(TENANT, last)
    assert found is not None
    assert (found[0].settings, found[1]) == (last, 4)


def test_a_removed_tenant_is_remembered_with_the_offset_of_its_removal() -> None:
    log = filled(tenant_entry(), filter_entry())
    assert log.removed_at("never") == -1
    taken(log, 6, removal("tenant", TENANT))
    assert log.entries(TENANT) is None
    assert log.removed_at(TENANT) == 6
    assert log.tenants() == {TENANT}
    taken(log, 7, tenant_entry())
    assert names(log) == ["vip"], "entries have keys of their own, and theirs were not removed"


def test_what_was_handed_out_doesn_t_change_afterwards() -> None:
    log = filled(tenant_entry(), filter_entry())
    found = log.entries(TENANT)
    taken(log, 5, filter_entry("two"))
    assert found is not None
    assert sorted(found[0].filters) == ["vip"]
