"""Records of the catalogue topic: their entries, and the paths of their errors."""

import json
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.catalogue.catalogue import (
    Admin,
    ClaimPaths,
    Credential,
    Filter,
    Priority,
    Profile,
    Realm,
    Sharing,
    Status,
    Team,
    TenantSettings,
)
from service.domain.catalogue.entries import Entry, EntryValue, Removal, parse_record
from service.domain.catalogue.entry_key import EntryKey, EntryKind, parse_key
from service.domain.conditions.condition import AllOf, Asks, Leaf, Question

OPEN = {"id": "3745", "name": "Open", "color": "#22C55E", "closed": False, "active": True, "awaiting": False}
TENANT = {
    "id": "t-1",
    "name": "Support",
    "realm": "eu",
    "statuses": [OPEN, {"id": "3750", "name": "Closed", "closed": True}],
    "priorities": [{"id": "4196", "name": "Low", "color": "#6B7280", "rank": 1}],
    "teams": [{"id": "/support/l2", "name": "L2", "departmentId": 7}, {"id": "x", "name": "X"}],
}
# The keys of RFC 7517 appendix A.1 and RFC 8037 appendix A.2.
MODULUS = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc"
    "_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ"
    "R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF"
    "TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
RSA: dict[str, Any] = {"kty": "RSA", "kid": "k1", "alg": "RS256", "use": "sig", "n": MODULUS, "e": "AQAB"}
EC: dict[str, Any] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
OKP: dict[str, Any] = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
REALM = {"name": "eu", "issuer": "https://id.example/realms/eu", "jwks": {"keys": [RSA, EC, OKP]}}
WHERE = {"all": [{"field": "assignee", "op": "eq", "value": "@me"}, {"field": "team", "op": "is_empty"}]}
FILTER = {"id": "a/b", "tenant": "t-1", "name": "Mine", "type": "custom", "where": WHERE}
PROFILE = {"id": "p", "tenant": "t-1", "name": "Base", "where": WHERE["all"][1]}
HASH = "0123456789abcdef" * 4
CREDENTIAL = {
    "identifier": "abc",
    "secretSha256": HASH.upper(),
    "tenant": "t-1",
    "admin": {"id": "12", "name": "Ada", "username": "ada"},
    "teams": ["/support/l2"],
}
GOOD: dict[str, dict[str, Any]] = {
    "realm/eu": REALM,
    "tenant/t-1": TENANT,
    "filter/t-1/a/b": FILTER,
    "profile/t-1/p": PROFILE,
    "credential/abc": CREDENTIAL,
}


def encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def entry(key: str, value: object) -> Entry:
    record = parse_record(key.encode(), encoded(value))
    assert isinstance(record, Entry)
    return record


def value_of(key: str, **fields: object) -> EntryValue:
    return entry(key, GOOD[key] | fields).value


CONDITION = AllOf((Asks(Question.ASSIGNED), Leaf("team", "is_empty")))


def test_each_kind_becomes_its_value() -> None:
    settings = TenantSettings(
        "t-1",
        "Support",
        "eu",
        statuses=(Status("3745", "Open", "#22C55E", active=True), Status("3750", "Closed", closed=True)),
        priorities=(Priority("4196", "Low", 1, "#6B7280"),),
        teams=(Team("/support/l2", "L2", 7), Team("x", "X")),
    )
    credential = Credential("abc", (HASH,), "t-1", Admin("12", "Ada", "ada"), teams=("/support/l2",))
    realm = Realm("eu", "https://id.example/realms/eu", jwks={"keys": [RSA, EC, OKP]})
    assert [entry(key, value) for key, value in GOOD.items()] == [
        Entry(EntryKind.REALM, None, "eu", realm),
        Entry(EntryKind.TENANT, None, "t-1", settings),
        Entry(EntryKind.FILTER, "t-1", "a/b", Filter("a/b", "Mine", "custom", CONDITION)),
        Entry(EntryKind.PROFILE, "t-1", "p", Profile("p", "Base", Leaf("team", "is_empty"))),
        Entry(EntryKind.CREDENTIAL, None, "abc", credential),
    ]


@pytest.mark.parametrize("key", GOOD)
def test_a_value_can_be_stored_and_read_back(key: str) -> None:
    value = value_of(key)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value


def test_a_process_that_has_read_them_ends_well() -> None:
    """Runs with a memory allocator that detects a wrong free at once."""
    pairs = [(key.encode(), json.dumps(value).encode()) for key, value in GOOD.items()]
    program = f"from service.domain.catalogue.entries import parse_record\nfor pair in {pairs!r}: parse_record(*pair)"
    environ = {**os.environ, "PYTHONMALLOC": "debug"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("key", GOOD)
def test_unknown_fields_are_ignored(key: str) -> None:
    assert value_of(key, note={"deep": [1]}, color2=None) == value_of(key)


def test_what_may_be_left_out_is_read_where_it_stands() -> None:
    sharing = {"roles": ["lead"], "teams": ["/support/l2", "x"]}
    shared = Sharing(frozenset({"lead"}), frozenset({"/support/l2", "x"}))
    limited = value_of("filter/t-1/a/b", color="red", owner="u|1", perspectives=["user", "agent"], sharedWith=sharing)
    assert limited == Filter(
        "a/b", "Mine", "custom", CONDITION, "red", frozenset({"user", "agent"}), owner="u|1", shared_with=shared
    )
    assert value_of("profile/t-1/p", owner="u", sharedWith={"teams": ["x"]}) == Profile(
        "p", "Base", Leaf("team", "is_empty"), owner="u", shared_with=Sharing(teams=frozenset({"x"}))
    )
    tenant = value_of("tenant/t-1", loading=True, statuses=None, teams=[], priorities=None)
    assert tenant == TenantSettings("t-1", "Support", "eu", loading=True)
    hashes = {"secretSha256": [HASH, "F" * 64], "passwordSha256": HASH, "accessKeySha256": [HASH]}
    credential = value_of("credential/abc", **hashes, allowedIps=["10.0.0.1", "::/0"], allowedActions=[], teams=None)
    assert credential == Credential(
        "abc", (HASH, "f" * 64), "t-1", Admin("12", "Ada", "ada"), (), (HASH,), (HASH,), ("10.0.0.1", "::/0"), ()
    )


def test_the_number_of_an_admin_is_read_as_text() -> None:
    credential = value_of("credential/abc", admin={"id": 12, "name": "Ada", "username": "ada"})
    assert isinstance(credential, Credential)
    assert credential.admin == Admin("12", "Ada", "ada")


def test_a_realm_has_defaults_for_each_claim() -> None:
    realm = value_of(
        "realm/eu",
        audience=["tickets", "api"],
        algorithms=["RS256", "PS512", "EdDSA", "ES512"],
        claims={"roles": "groups", "teams": None, "tenants": "tenant.id"},
    )
    assert isinstance(realm, Realm)
    assert (realm.audience, realm.algorithms) == (("tickets", "api"), ("RS256", "PS512", "EdDSA", "ES512"))
    assert realm.claims == ClaimPaths("sub", "groups", "teams", "tenant.id")
    single = value_of("realm/eu", audience="tickets", claims=None, jwksUri=None)
    assert isinstance(single, Realm)
    assert (single.audience, single.claims) == (("tickets",), ClaimPaths())


def test_a_realm_may_require_claims_and_a_kind_of_token() -> None:
    realm = value_of("realm/eu", requiredClaims={"azp": "desk", "a.b": 1, "c": True, "d": None}, typ="at+jwt")
    assert isinstance(realm, Realm)
    assert (realm.required_claims, realm.typ) == ({"azp": "desk", "a.b": 1, "c": True}, "at+jwt")
    nothings: tuple[Any, ...] = ({}, [], None)
    for nothing in nothings:
        assert value_of("realm/eu", requiredClaims=nothing, typ=None) == value_of("realm/eu")


def test_only_what_public_keys_need_is_kept_of_a_key_set() -> None:
    realm = value_of("realm/eu", jwks={"keys": [RSA | {"x5c": ["MII"], "big": 2**70}], "more": 1})
    assert isinstance(realm, Realm)
    assert realm.jwks == {"keys": [RSA]}


def test_an_empty_list_where_an_object_belongs_is_as_if_missing() -> None:
    """PHP writes an empty object as `[]`."""
    assert value_of("realm/eu", claims=[]) == value_of("realm/eu")
    assert value_of("filter/t-1/a/b", sharedWith=[]) == value_of("filter/t-1/a/b")
    assert value_of("profile/t-1/p", sharedWith=[]) == value_of("profile/t-1/p")


def test_half_a_surrogate_pair_in_a_text_that_is_no_id_becomes_u_fffd() -> None:
    half = "\ud83d"
    tenant = json.loads(json.dumps(TENANT)) | {"name": half, "note": {"id": half, half: [half]}}
    tenant["statuses"][0] |= {"name": f"Open {half}", "color": half}
    written = json.dumps(tenant).encode()
    read = parse_record(b"tenant/t-1", written)
    assert isinstance(read, Entry)
    assert isinstance(read.value, TenantSettings)
    assert (read.value.name, read.value.statuses[0]) == ("\ufffd", Status("3745", "Open \ufffd", "\ufffd", active=True))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1e30", 1e30),
        (f"{10**30}", 1e30),
        (f"{2**64}", 2.0**64),
        ("-1e400", -sys.float_info.max),
        ("9" * 5_000, sys.float_info.max),
    ],
)
def test_a_number_of_any_size_may_be_compared_with_and_ranked_by(written: str, kept: float) -> None:
    where = f'{{"field": "fields.a", "op": "eq", "value": {written}}}'
    saved = parse_record(b"profile/t-1/p", f'{{"id": "p", "tenant": "t-1", "name": "x", "where": {where}}}'.encode())
    assert isinstance(saved, Entry)
    assert isinstance(saved.value, Profile)
    assert saved.value.where == Leaf("fields.a", "eq", kept)
    priorities = f'[{{"id": "1", "name": "x", "rank": {written}}}]'
    tenant = f'{{"id": "t-1", "name": "x", "realm": "r", "priorities": {priorities}}}'
    ranked = parse_record(b"tenant/t-1", tenant.encode())
    assert isinstance(ranked, Entry)
    assert isinstance(ranked.value, TenantSettings)
    assert ranked.value.priorities[0].rank == kept


IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128)
TENANT_IDS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


@given(st.sampled_from(EntryKind), TENANT_IDS, IDS)
def test_a_key_reads_as_it_was_written_and_without_a_value_removes(kind: EntryKind, tenant: str, name: str) -> None:
    owned = kind in (EntryKind.FILTER, EntryKind.PROFILE)
    key = EntryKey(kind, tenant if owned else None, tenant if kind == EntryKind.TENANT else name)
    assert parse_key(key.encoded()) == key
    assert parse_record(key.encoded(), None) == Removal(*key)


def test_keys_are_kinds_and_ids_with_slashes_between() -> None:
    assert EntryKey(EntryKind.FILTER, "t-1", "/a/b").encoded() == b"filter/t-1//a/b"
    assert parse_key(b"credential/a/b") == EntryKey(EntryKind.CREDENTIAL, None, "a/b")
