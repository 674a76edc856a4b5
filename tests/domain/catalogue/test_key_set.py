"""Key sets are parsed key by key (RFC 7517 section 5): an unusable key doesn't affect the others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.catalogue.catalogue import EntryError, Realm
from service.domain.catalogue.entries import Entry, parse_record
from service.domain.catalogue.key_set import PRIVATE_MEMBERS, read_key_set
from tests.domain.catalogue.test_entries import EC, OKP, REALM, RSA

NOT_UNDERSTOOD: list[tuple[Any, str]] = [
    ({"kty": "OKP", "crv": "X25519", "use": "enc", "x": OKP["x"]}, "keys[0]"),
    ({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, "keys[0].kty: invalid value 'AKP'"),
    ({"kty": 5}, "keys[0].kty: "),
    ({"kid": "k9"}, "keys[0].kty: missing"),
    (EC | {"crv": "secp256k1"}, "keys[0].crv: invalid enum value 'secp256k1'"),
    (EC | {"crv": "P-384"}, "keys[0].x: expected 48 bytes"),
    (OKP | {"crv": "Ed448"}, "keys[0].x: expected 57 bytes"),
    (EC | {"kid": 7}, "keys[0].kid: expected str | null, got int"),
    (EC | {"use": "enc"}, "keys[0].use: invalid enum value 'enc'"),
    (EC | {"key_ops": ["sign"]}, "keys[0].key_ops: verify is missing"),
    (EC | {"key_ops": "verify"}, "keys[0].key_ops: expected array | null, got str"),
    (EC | {"alg": "RSA-OAEP"}, "keys[0].alg: not an algorithm for this key type"),
    (EC | {"alg": "HS256"}, "keys[0].alg: not an algorithm for this key type"),
    (EC | {"x": "no base64!"}, "keys[0].x: expected base64url"),
    (EC | {"x": EC["x"] + "ab"}, "keys[0].x: expected 32 bytes"),
    (OKP | {"x": "A"}, "keys[0].x: expected 32 bytes"),
    (RSA | {"n": RSA["n"][:300]}, "keys[0].n: an RSA key has at least 2048 bits"),
    ("no key", "keys[0]: expected object, got str"),
    (None, "keys[0]: expected object, got null"),
    ([EC], "keys[0]: expected object, got array"),
]


def realm(**fields: Any) -> Realm:
    record = parse_record(b"realm/eu", json.dumps(REALM | fields).encode())
    assert isinstance(record, Entry)
    assert isinstance(record.value, Realm)
    return record.value


@pytest.mark.parametrize(("odd", "reason"), NOT_UNDERSTOOD, ids=[str(odd)[:50] for odd, _ in NOT_UNDERSTOOD])
def test_a_key_that_is_not_understood_is_passed_over_and_alone_refused(odd: Any, reason: str) -> None:
    taken = realm(jwks={"keys": [odd, RSA, OKP]})
    assert taken.jwks == {"keys": [RSA, OKP]}
    (reason_with_path,) = taken.passed_over
    assert reason_with_path.startswith(f"jwks.{reason}")
    with pytest.raises(EntryError) as refused:
        realm(jwks={"keys": [odd]})
    assert str(refused.value) == f"{reason_with_path}; no usable key is left"


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(EntryError, match=r"^jwks.keys: empty; no usable key is left$"):
        realm(jwks={"keys": []})


@pytest.mark.parametrize("name", PRIVATE_MEMBERS)
@pytest.mark.parametrize("key", [RSA, EC, OKP, {"kty": "oct"}, {"kty": "XYZ"}, {}], ids=str)
def test_a_private_part_refuses_the_set_whatever_else_is_in_it(key: dict[str, Any], name: str) -> None:
    with pytest.raises(EntryError, match=rf"^jwks.keys\[1\].{name}: a private key"):
        realm(jwks={"keys": [RSA, key | {name: "AAAA"}]})


def test_members_that_are_null_are_as_if_left_out() -> None:
    nulls = dict.fromkeys(("kid", "alg", "use", "key_ops", *PRIVATE_MEMBERS))
    assert realm(jwks={"keys": [EC | nulls]}).jwks == {"keys": [EC]}


def test_the_realms_algorithms_decide_which_keys_are_usable() -> None:
    taken = realm(jwks={"keys": [RSA, EC, OKP]}, algorithms=["ES256", "Ed25519"])
    assert taken.jwks == {"keys": [EC, OKP]}
    assert taken.passed_over == ("jwks.keys[0]: fits none of the realm's algorithms",)
    with pytest.raises(EntryError, match="no usable key is left"):
        realm(jwks={"keys": [RSA, EC]}, algorithms=["ES512"])


def test_both_names_of_an_edwards_curve_are_one_algorithm() -> None:
    for named, allowed in (("EdDSA", "Ed25519"), ("Ed25519", "EdDSA"), (None, "Ed25519")):
        (key,) = read_key_set({"keys": [OKP | {"alg": named}]}, "jwks", [allowed]).keys
        assert key.algorithms == {"EdDSA", "Ed25519"}
    with pytest.raises(EntryError, match="not an algorithm for this key type"):
        read_key_set({"keys": [OKP | {"alg": "Ed448"}]}, "jwks")
    with pytest.raises(EntryError, match="fits none of the realm's algorithms"):
        read_key_set({"keys": [OKP]}, "jwks", ["Ed448"])


def test_half_of_a_surrogate_pair_is_passed_over_as_any_other_oddity() -> None:
    """A document of an identity provider may contain a private key."""
    found = read_key_set({"keys": [EC | {"kty": "\ud800"}, EC]}, "jwks")
    assert ([key.members for key in found.keys], found.passed_over) == (
        [EC],
        ("jwks.keys[0]: an unpaired surrogate",),
    )


def test_too_many_usable_keys_are_refused_and_too_many_others_are_not() -> None:
    assert len(read_key_set({"keys": [EC] * 32 + [{}] * 1_000}, "jwks").passed_over) == 20
    with pytest.raises(EntryError, match="33 usable keys, at most 32 are accepted"):
        read_key_set({"keys": [EC] * 33}, "jwks")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = sorted({"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use", "key_ops", "x5c"})
ODD_KEYS = JSON | st.builds(
    lambda key, changes: key | changes,
    st.sampled_from([RSA, EC, OKP, {}]),
    st.dictionaries(st.sampled_from(MEMBERS), JSON | st.sampled_from(["RSA", "EC", "OKP", "P-521", "enc", "AQAB"])),
)
PUBLIC_ODD_KEYS = ODD_KEYS.filter(lambda key: not (isinstance(key, dict) and key.keys() & set(PRIVATE_MEMBERS)))
"""The set is refused if any key has a private member."""


@given(st.lists(PUBLIC_ODD_KEYS, max_size=4), st.integers(0, 4))
def test_a_good_key_survives_any_company(odd: list[Any], place: int) -> None:
    good = EC | {"kid": "the good one"}
    members = [*odd[:place], good, *odd[place:]]
    found = read_key_set({"keys": members}, "jwks")
    assert good in [key.members for key in found.keys]
    assert len(found.keys) + len(found.passed_over) == len(members)
