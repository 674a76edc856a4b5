"""Catalogue records that can't come into force, and the path of each error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entries import Entry, parse_record
from tests.domain.catalogue.test_entries import (
    CREDENTIAL,
    EC,
    FILTER,
    GOOD,
    HASH,
    OKP,
    PROFILE,
    REALM,
    RSA,
    TENANT,
    WHERE,
)

LEAF = WHERE["all"][1]


def problem(key: bytes | None, value: object) -> str:
    with pytest.raises(EntryError) as caught:
        parse_record(key, value if isinstance(value, bytes) else json.dumps(value).encode())
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "key: missing"),
        (b"", "key: expected one of realm, tenant, filter, profile, credential, a slash and an id"),
        (b"tenant", "key: expected one of"),
        (b"Tenant/t-1", "key: expected one of"),
        (b"status/t-1/1", "key: expected one of"),
        (b"tenant/", "key: expected 1 to 64 of the characters"),
        (b"tenant/t-1/x", "key: expected 1 to 64 of the characters"),
        (b"tenant/t-1\n", "key: expected 1 to 64 of the characters"),
        (b"filter/a", "key: expected filter/<tenant>/<id>"),
        (b"filter//a", "key: expected 1 to 64 of the characters"),
        (b"profile/t 1/a", "key: expected 1 to 64 of the characters"),
        (b"profile/t-1/", "key: expected 1 to 128 characters without control characters"),
        (b"realm/" + b"x" * 129, "key: expected 1 to 128 characters"),
        (b"realm/a\x00", "key: expected 1 to 128 characters"),
        ("credential/\x85".encode(), "key: expected 1 to 128 characters"),
        (b"realm/\xff", "key: not UTF-8"),
    ],
)
def test_a_key_names_an_entry_also_where_it_removes_one(key: bytes | None, message: str) -> None:
    assert problem(key, b"{}").startswith(message)
    with pytest.raises(EntryError):
        parse_record(key, None)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tenant/t-2", TENANT, "key: names tenant/t-2, but its value tenant/t-1"),
        ("realm/us", REALM, "key: names realm/us, but its value realm/eu"),
        ("filter/t-2/a/b", FILTER, "key: names filter/t-2/a/b, but its value filter/t-1/a/b"),
        ("filter/t-1/a", FILTER, "key: names filter/t-1/a, but its value filter/t-1/a/b"),
        ("profile/t-1/P", PROFILE, "key: names profile/t-1/P, but its value profile/t-1/p"),
        ("credential/ABC", CREDENTIAL, "key: names credential/ABC, but its value credential/abc"),
    ],
)
def test_a_key_that_says_otherwise_than_its_value_is_refused(key: str, value: object, message: str) -> None:
    assert problem(key.encode(), value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "value: not JSON"),
        (b"{", "value: not JSON"),
        (json.dumps(TENANT).encode() + b" {}", "value: not JSON"),
        (b"null", "value: expected object, got null"),
        (b"[]", "value: expected object, got array"),
        (b'"x"', "value: expected object, got str"),
        (b'{"note": "\xff"}', "value: not UTF-8"),
        (b'{"note": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "value: nested too deeply"),
        (b"\xef\xbb\xbf{}", "value: not JSON"),
    ],
)
def test_a_value_is_a_json_object(value: bytes, message: str) -> None:
    assert problem(b"tenant/t-1", value).startswith(message)


TENANT_KEY, REALM_KEY, FILTER_KEY, CREDENTIAL_KEY = "tenant/t-1", "realm/eu", "filter/t-1/a/b", "credential/abc"
STATUS = {"id": "1", "name": "One"}
OLD = {"field": "dueAt", "op": "older_than", "value": "P1D"}


@pytest.mark.parametrize(
    ("key", "fields", "message"),
    [
        (TENANT_KEY, {"id": "t 1"}, "id: expected 1 to 64 of the characters A-Z a-z 0-9 _ -"),
        (TENANT_KEY, {"name": None}, "name: expected str, got null"),
        (TENANT_KEY, {"realm": ""}, "realm: expected 1 to 128 characters without control characters"),
        (TENANT_KEY, {"statuses": {}}, "statuses: expected array | null, got object"),
        (TENANT_KEY, {"statuses": [STATUS | {"closed": 1}]}, "statuses[0].closed: expected bool"),
        (TENANT_KEY, {"statuses": [STATUS, {"id": "2"}]}, "statuses[1].name: missing"),
        (TENANT_KEY, {"statuses": [STATUS | {"id": "a\tb"}]}, "statuses[0].id: expected 1 to 128 characters"),
        (TENANT_KEY, {"statuses": [STATUS, STATUS]}, "statuses[1].id: the same as statuses[0].id"),
        (TENANT_KEY, {"teams": [STATUS] * 2}, "teams[1].id: the same as teams[0].id"),
        (TENANT_KEY, {"teams": [STATUS | {"departmentId": "7"}]}, "teams[0].departmentId: expected int"),
        (TENANT_KEY, {"teams": [STATUS | {"departmentId": 2**63}]}, "teams[0].departmentId: expected int"),
        (TENANT_KEY, {"priorities": [STATUS]}, "priorities[0].rank: missing"),
        (TENANT_KEY, {"priorities": [STATUS | {"rank": True}]}, "priorities[0].rank: expected float, got bool"),
        (TENANT_KEY, {"priorities": [STATUS | {"rank": 1}] * 2}, "priorities[1].id: the same as priorities[0].id"),
        (TENANT_KEY, {"loading": "yes"}, "loading: expected bool"),
        (FILTER_KEY, {"type": "mine"}, "type: invalid enum value 'mine'"),
        (FILTER_KEY, {"color": 5}, "color: expected str"),
        (FILTER_KEY, {"perspectives": ["agent", "admin"]}, "perspectives[1]: invalid enum value 'admin'"),
        (FILTER_KEY, {"perspectives": []}, "perspectives: expected array of length >= 1"),
        (FILTER_KEY, {"owner": ""}, "owner: expected 1 to 128 characters"),
        (FILTER_KEY, {"sharedWith": [5]}, "sharedWith: expected object, got array"),
        (FILTER_KEY, {"sharedWith": 5}, "sharedWith: expected object | null, got int"),
        (FILTER_KEY, {"where": []}, "where: missing"),
        (FILTER_KEY, {"where": {"not": []}}, "where.not: expected an object, got list"),
        (FILTER_KEY, {"sharedWith": {"roles": "lead"}}, "sharedWith.roles: expected array"),
        (FILTER_KEY, {"where": None}, "where: expected an object, got null"),
        (FILTER_KEY, {"where": {"all": [LEAF, LEAF | {"op": "like"}]}}, "where.all[1].op: unknown operator 'like'"),
        (REALM_KEY, {"issuer": ""}, "issuer: expected str of length >= 1"),
        (REALM_KEY, {"jwksUri": "https://x"}, "jwks: expected either jwks or jwksUri"),
        (REALM_KEY, {"jwks": None}, "jwks: expected either jwks or jwksUri"),
        (
            REALM_KEY,
            {"jwks": None, "jwksUri": "https://x"},
            "jwksUri: fetching keys is not supported yet; give the keys as jwks",
        ),
        (REALM_KEY, {"jwks": [RSA]}, "jwks: expected object, got array"),
        (REALM_KEY, {"jwks": {}}, "jwks.keys: missing"),
        (REALM_KEY, {"jwks": {"keys": [RSA, {"kty": "oct", "k": "aa"}]}}, "jwks.keys[1].k: a private key"),
        (REALM_KEY, {"jwks": {"keys": [{"n": "aa", "e": "aa"}]}}, "jwks.keys[0].kty: missing"),
        (REALM_KEY, {"jwks": {"keys": [RSA | {"n": "a b"}]}}, "jwks.keys[0].n: expected base64url"),
        (REALM_KEY, {"jwks": {"keys": [{"kty": "RSA", "n": "aa"}]}}, "jwks.keys[0].e: missing"),
        (REALM_KEY, {"jwks": {"keys": [EC | {"crv": "P-1"}]}}, "jwks.keys[0].crv: invalid enum value 'P-1'"),
        (REALM_KEY, {"jwks": {"keys": [EC, OKP | {"d": "aa"}]}}, "jwks.keys[1].d: a private key"),
        (REALM_KEY, {"algorithms": ["RS256", "HS256"]}, "algorithms[1]: invalid enum value 'HS256'"),
        (REALM_KEY, {"algorithms": ["none"]}, "algorithms[0]: invalid enum value 'none'"),
        (REALM_KEY, {"algorithms": []}, "algorithms: expected array"),
        (REALM_KEY, {"audience": []}, "audience: expected array of length >= 1"),
        (REALM_KEY, {"audience": [5]}, "audience[0]: expected str, got int"),
        (REALM_KEY, {"jwks": []}, "jwks: expected either jwks or jwksUri"),
        (REALM_KEY, {"claims": ["sub"]}, "claims: expected object, got array"),
        (REALM_KEY, {"claims": {"user": "a..b"}}, "claims.user: expected names with dots between them"),
        (REALM_KEY, {"claims": {"roles": ".".join("a" * 17)}}, "claims.roles: expected names with dots between them"),
        (REALM_KEY, {"requiredClaims": {"azp": ["desk"]}}, "requiredClaims[...]: expected "),
        (REALM_KEY, {"requiredClaims": {"a..b": 1}}, "requiredClaims['a..b']: expected names with dots between them"),
        (REALM_KEY, {"requiredClaims": {f"c{n}": n for n in range(17)}}, "requiredClaims: expected at most 16"),
        (REALM_KEY, {"requiredClaims": "azp"}, "requiredClaims: expected "),
        (REALM_KEY, {"typ": "JWT"}, "typ: invalid enum value 'JWT'"),
        (REALM_KEY, {"claims": {"tenants": ""}}, "claims.tenants: expected names with dots between them"),
        (CREDENTIAL_KEY, {"secretSha256": "abc"}, "secretSha256: expected 64 hexadecimal digits"),
        (CREDENTIAL_KEY, {"secretSha256": []}, "secretSha256: expected array of length >= 1"),
        (CREDENTIAL_KEY, {"passwordSha256": [HASH, HASH + "0"]}, "passwordSha256[1]: expected 64 hexadecimal digits"),
        (CREDENTIAL_KEY, {"accessKeySha256": "g" * 64}, "accessKeySha256: expected 64 hexadecimal digits"),
        (CREDENTIAL_KEY, {"tenant": "t/1"}, "tenant: expected 1 to 64 of the characters"),
        (CREDENTIAL_KEY, {"admin": {"id": "1", "name": "Ada"}}, "admin.username: missing"),
        (CREDENTIAL_KEY, {"admin": []}, "admin: missing"),
        (CREDENTIAL_KEY, {"allowedIps": ["10.0.0.0/8", "10.0.0"]}, "allowedIps[1]: expected an address or a network"),
        (CREDENTIAL_KEY, {"allowedActions": [1]}, "allowedActions[0]: expected str, got int"),
    ],
)
def test_an_error_points_at_its_field(key: str, fields: dict[str, object], message: str) -> None:
    assert problem(key.encode(), GOOD[key] | fields).startswith(message)


HALF = "\ud83d"


@pytest.mark.parametrize(
    ("key", "fields", "path"),
    [
        (REALM_KEY, {"name": HALF}, "name"),
        (TENANT_KEY, {"id": HALF}, "id"),
        (TENANT_KEY, {"realm": HALF}, "realm"),
        (TENANT_KEY, {"statuses": [STATUS, {"id": HALF, "name": "x"}]}, "statuses[1].id"),
        (TENANT_KEY, {"priorities": [{"id": HALF, "name": "x", "rank": 1}]}, "priorities[0].id"),
        (TENANT_KEY, {"teams": [{"id": HALF, "name": "x"}]}, "teams[0].id"),
        (FILTER_KEY, {"id": f"a{HALF}"}, "id"),
        (FILTER_KEY, {"owner": HALF}, "owner"),
        (FILTER_KEY, {"sharedWith": {"teams": ["a", HALF]}}, "sharedWith.teams[1]"),
        (FILTER_KEY, {"sharedWith": {"roles": [HALF]}}, "sharedWith.roles[0]"),
        (FILTER_KEY, {"where": {"any": [LEAF, {"not": LEAF | {"value": HALF}}]}}, "where.any[1].not.value"),
        (FILTER_KEY, {"where": {"all": [LEAF | {"value": ["a", HALF]}]}}, "where.all[0].value[1]"),
        ("profile/t-1/p", {"where": LEAF | {"value": HALF}}, "where.value"),
        (CREDENTIAL_KEY, {"identifier": HALF}, "identifier"),
        (CREDENTIAL_KEY, {"teams": [HALF]}, "teams[0]"),
        (CREDENTIAL_KEY, {"admin": {"id": HALF, "name": "Ada", "username": "ada"}}, "admin.id"),
    ],
)
def test_half_a_surrogate_pair_in_an_id_or_a_condition_is_refused(
    key: str, fields: dict[str, object], path: str
) -> None:
    assert problem(key.encode(), GOOD[key] | fields) == f"{path}: an unpaired surrogate"


REQUIRED = {
    "realm/eu": {"name", "issuer"},
    "tenant/t-1": {"id", "name", "realm"},
    "filter/t-1/a/b": {"id", "tenant", "name", "type", "where"},
    "profile/t-1/p": {"id", "tenant", "name", "where"},
    "credential/abc": {"identifier", "secretSha256", "tenant", "admin"},
}


@pytest.mark.parametrize("key", GOOD)
def test_what_is_required_may_not_be_missing(key: str) -> None:
    def without(field: str) -> dict[str, Any]:
        return {name: value for name, value in GOOD[key].items() if name != field}

    for field in GOOD[key].keys() - {"jwks"}:
        if field in REQUIRED[key]:
            assert problem(key.encode(), without(field)) == f"{field}: missing"
        else:
            assert isinstance(parse_record(key.encode(), json.dumps(without(field)).encode()), Entry)


JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)


@given(st.sampled_from(list(GOOD)), st.data())
def test_any_field_of_another_type_is_an_entry_or_an_error_that_names_it(key: str, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(GOOD[key])))
    value = GOOD[key] | {field: data.draw(JUNK | st.dictionaries(st.text(max_size=3), JUNK, max_size=2))}
    try:
        parse_record(key.encode(), json.dumps(value).encode())
    except EntryError as error:
        message = str(error)
    else:
        return
    assert message.startswith((field, "key: names "))
