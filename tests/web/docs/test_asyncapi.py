"""The schemas of `/asyncapi.json`, against catalogue entries that come into force and such that don't."""

import json
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from service.domain.catalogue.catalogue import EntryError
from service.domain.catalogue.entries import parse_record
from service.web.docs.asyncapi import asyncapi

JWKS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
TENANT = {"id": "acme", "name": "Acme", "realm": "r"}
WHERE = {"field": "priority", "op": "eq", "value": "4195"}
FILTER = {"id": "f1", "tenant": "acme", "name": "Critical", "type": "custom", "where": WHERE}
CREDENTIAL = {
    "identifier": "key",
    "secretSha256": "0" * 64,
    "tenant": "acme",
    "admin": {"id": 1, "name": "Ann", "username": "ann"},
}

GOOD: list[tuple[str, str, dict[str, Any]]] = [
    ("realm", "realm/r", {"name": "r", "issuer": "https://i", "jwks": JWKS, "claims": []}),
    (
        "tenant",
        "tenant/acme",
        {**TENANT, "priorities": [{"id": "1", "name": "P", "rank": 1}]},
    ),
    ("filter", "filter/acme/f1", {**FILTER, "sharedWith": {"teams": ["a"]}, "perspectives": ["agent"], "later": 1}),
    ("profile", "profile/acme/f1", {**FILTER, "owner": None}),
    ("credential", "credential/key", {**CREDENTIAL, "teams": ["a"], "passwordSha256": ["0" * 64]}),
]

BAD: list[tuple[str, str, dict[str, Any]]] = [
    ("realm", "realm/r", {"name": "r"}),
    ("realm", "realm/r", {"name": "a\nb", "issuer": "https://i", "jwks": JWKS}),
    ("tenant", "tenant/acme", {**TENANT, "id": "a/b"}),
    (
        "tenant",
        "tenant/acme",
        {**TENANT, "statuses": [{"id": "1", "name": "P", "closed": 1}]},
    ),
    ("filter", "filter/acme/f1", {**FILTER, "type": "none"}),
    ("filter", "filter/acme/f1", {**FILTER, "perspectives": []}),
    ("profile", "profile/acme/f1", {**FILTER, "sharedWith": {"teams": "a"}}),
    ("credential", "credential/key", {**CREDENTIAL, "admin": {"id": "1", "name": "Ann", "username": ""}}),
    ("credential", "credential/key", {**CREDENTIAL, "secretSha256": ["0"]}),
]


def fits(kind: str, value: object) -> bool:
    """Whether the schema of this kind of entry takes the value."""
    components = json.loads(msgspec.json.encode(asyncapi()))["components"]
    return Draft202012Validator({**components["messages"][kind]["payload"], "components": components}).is_valid(value)


@pytest.mark.parametrize(("kind", "key", "value"), GOOD)
def test_an_entry_that_comes_into_force_fits_its_schema(kind: str, key: str, value: dict[str, Any]) -> None:
    parse_record(key.encode(), json.dumps(value).encode())
    assert fits(kind, value)


@pytest.mark.parametrize(("kind", "key", "value"), BAD)
def test_an_entry_of_the_wrong_shape_fits_neither(kind: str, key: str, value: dict[str, Any]) -> None:
    with pytest.raises(EntryError):
        parse_record(key.encode(), json.dumps(value).encode())
    assert not fits(kind, value)


def test_a_removal_is_a_null() -> None:
    assert fits("removal", None)
