"""Realms and tokens as nobody would write them, by hypothesis. Judges nothing."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from hypothesis import strategies as st

from service.domain.catalogue.catalogue import ClaimPaths, Realm
from tests.web.auth.keys import key_for, public_jwk, token

NOW_S = 1_800_000_000
ISSUER = "https://id.example/fuzz"

SIGNERS = (("ES256", "first"), ("ES256", "other"), ("RS256", "first"), ("EdDSA", "first"), ("Ed448", "first"))
"""Algorithm and name of each key there is; RSA signs in several ways."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "ES256": ("ES256",),
    "RS256": ("RS256", "RS512", "PS256"),
    "EdDSA": ("EdDSA", "Ed25519"),
    "Ed448": ("EdDSA", "Ed448"),
}

KIDS = ("k1", "k2", "k3")

Signer = tuple[str, str]


class Key(NamedTuple):
    """One key of a realm's set, and the names that the `alg` of its tokens may have."""

    signer: Signer
    kid: str | None
    names: tuple[str, ...]


class Made(NamedTuple):
    """A token, with what went into it."""

    realm: Mapping[str, Any]
    header: Mapping[str, Any]
    claims: Any
    signer: Signer
    signed_as: str
    token: bytes


NUMBERS = st.integers() | st.floats() | st.integers(NOW_S - 20, NOW_S + 20) | st.floats(NOW_S - 20, NOW_S + 20)
ODD = st.text(st.sampled_from("a/|€😀\ud83d\ude00\0\n\x85\u2028 "), max_size=4)
"""Among them halves of surrogate pairs and control characters."""

TEXTS = (
    st.text(st.characters(exclude_categories=()), max_size=8)
    | ODD
    | st.sampled_from(
        (
            "ticket_user",
            "ticket_agent",
            "ticket_admin",
            "desk",
            "counts",
            "id",
            "ID",
            "refresh",
            "access",
            "Bearer",
            "acme",
        )
    )
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("roles", "x", "")), inner, max_size=3),
    max_leaves=6,
)

HEADER_VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.text(max_size=3), max_size=2)
) | st.sampled_from((*KIDS, "ES256", "EdDSA", "Ed25519", "none", "HS256", "JWT", "at+jwt", "AT+JWT", "dpop+jwt"))
"""What every decoder reads alike: no NaN, no half of a surrogate pair."""

CLAIMS: Mapping[str, tuple[Any, ...]] = {
    "iss": (f"{ISSUER}/", "https://id.example/", [ISSUER], None),
    "sub": (7, True, "", "a\nb", "x" * 128, "x" * 129, ["ann"], None),
    "exp": (NOW_S, NOW_S + 1, NOW_S + 0.5, NOW_S - 1, True, str(NOW_S + 9), 10**400, float("inf"), None),
    "nbf": (NOW_S, NOW_S + 10, NOW_S + 10.5, NOW_S + 11, False, None),
    "iat": (NOW_S, NOW_S + 10, NOW_S + 11, "now", None),
    "aud": ("other", ["other"], ["other", "desk"], ["counts", 5], [], {"counts": 1}, None),
    "typ": ("Bearer", "ID", "Refresh", ["ID"], None),
    "azp": ("wall", True, 1, ["wall", "desk"], [True], None),
    "cnf": ({"jkt": "x"}, {}, "", [], None),
    "nonce": ("", "x", 0, None),
    "token_use": ("id", "ID", "access", 5, None),
    "at_hash": ("x", False, None),
    "realm_access": (
        [],
        {},
        {"roles": []},
        {"roles": 5},
        {"roles": ["ticket_user", True]},
        ["ticket_admin"],
        "x",
        None,
    ),
    "teams": (5, "network", ["a", 5], [True], ["\ud83d", ""], {"a": 1}, None),
    "tenants": (5, "acme", ["acme", 5], [], {}, None),
    "org": ([], {"x": True}, {"x": 1.0}, {"x": "1"}, {"x": [2, 1], "roles": [5]}, 5, None),
    "jti": (5, None),
}
"""Values at the edges of what is taken; with None the claim is there, and null."""

HEADERS = ("alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "zip", "cty")


@st.composite
def realms(draw: st.DrawFn) -> dict[str, Any]:
    """A key set of one to four keys, and what the realm requires."""
    signers = draw(st.lists(st.sampled_from(SIGNERS), min_size=1, max_size=4, unique=True))
    kids = [draw(st.none() | st.sampled_from(KIDS)) for _ in signers]
    return {
        "keys": [Key(signer, kid, NAMES[signer[0]]) for signer, kid in zip(signers, kids, strict=True)],
        "audience": draw(st.sampled_from(((), (), ("counts",), ("counts", "desk")))),
        "required": draw(st.sampled_from(({}, {}, {"azp": "desk"}, {"org.x": 1}))),
        "typ": draw(st.sampled_from((None, None, None, "at+jwt"))),
        "paths": draw(
            st.sampled_from(
                (
                    {"user": "sub", "roles": "realm_access.roles", "teams": "teams", "tenants": None},
                    {"user": "sub", "roles": "realm_access.roles", "teams": "teams", "tenants": "tenants"},
                    {"user": "org.x", "roles": "org.roles", "teams": "realm_access", "tenants": None},
                )
            )
        ),
    }


def product_realm(realm: Mapping[str, Any]) -> Realm:
    """The same as the product has it in force."""
    keys = [public_jwk(key_for(*key.signer), **({} if key.kid is None else {"kid": key.kid})) for key in realm["keys"]]
    return Realm(
        "fuzz",
        ISSUER,
        {"keys": keys},
        audience=realm["audience"],
        claims=ClaimPaths(**realm["paths"]),
        required_claims=realm["required"],
        typ=realm["typ"],
    )


def good_claims() -> dict[str, Any]:
    """Of an administrator."""
    return {
        "iss": ISSUER,
        "sub": "ann",
        "exp": NOW_S + 600,
        "aud": "counts",
        "azp": "desk",
        "realm_access": {"roles": ["ticket_admin"]},
        "teams": ["network"],
        "tenants": ["acme"],
        "org": {"x": 1, "roles": "ticket_agent"},
    }


@st.composite
def made_tokens(draw: st.DrawFn) -> Made:
    """A good token with some of its members changed, signed by one of the realm's keys as a rule."""
    realm = draw(realms())
    key = draw(st.sampled_from(realm["keys"]))
    signer: Signer = key.signer if draw(st.integers(0, 9)) else draw(st.sampled_from(SIGNERS))
    signed_as = draw(st.sampled_from(NAMES[signer[0]]))
    header: dict[str, Any] = {"alg": signed_as, "typ": draw(st.sampled_from(("at+jwt", "at+jwt", "JWT")))}
    kid = key.kid if draw(st.integers(0, 2)) else draw(st.none() | st.sampled_from(KIDS))
    header |= {} if kid is None else {"kid": kid}
    if draw(st.integers(0, 3)) == 0:
        header |= draw(st.dictionaries(st.sampled_from(HEADERS), HEADER_VALUES, max_size=2))
    header = {name: value for name, value in header.items() if value is not None}
    claims: Any = good_claims()
    for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2, 3)))):
        name = draw(st.sampled_from(sorted(CLAIMS)))
        claims[name] = draw(JSON) if draw(st.integers(0, 3)) == 0 else draw(st.sampled_from(CLAIMS[name]))
    for name in draw(st.sampled_from(((), (), (), (), *((name,) for name in CLAIMS)))):
        claims.pop(name, None)
    if draw(st.integers(0, 30)) == 0:
        claims = draw(JSON)
    return Made(realm, header, claims, signer, signed_as, _signed(signer, signed_as, header, claims))


def _signed(signer: Signer, signed_as: str, header: Mapping[str, Any], claims: Any) -> bytes:
    usual = dict.fromkeys(("alg", "typ", "kid"))  # None takes away what is there by itself
    return token(key_for(*signer), signed_as, claims, **(usual | dict(header))).encode()
