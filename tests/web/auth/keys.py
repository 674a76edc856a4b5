"""Signing keys and tokens made for tests with cryptography directly. Never uses the product's own minting."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey

CURVES: Mapping[str, tuple[type[ec.EllipticCurve], str, int, type[hashes.HashAlgorithm]]] = {
    "ES256": (ec.SECP256R1, "P-256", 32, hashes.SHA256),
    "ES384": (ec.SECP384R1, "P-384", 48, hashes.SHA384),
    "ES512": (ec.SECP521R1, "P-521", 66, hashes.SHA512),
}

HASHES: Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}


@cache
def key_for(algorithm: str, name: str = "first") -> PrivateKey:
    """A key for that algorithm; another `name` is another key."""
    if algorithm == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if algorithm in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm][0]())
    return rsa.generate_private_key(65_537, int(name) if name.isdigit() else 2048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64_number(number: int, size: int = 0) -> str:
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


def public_jwk(key: PrivateKey, **members: Any) -> dict[str, Any]:
    """The public half as a JWK, with more members (`kid`, `alg`, `use`)."""
    if isinstance(key, rsa.RSAPrivateKey):
        rsa_numbers = key.public_key().public_numbers()
        own = {"kty": "RSA", "n": b64_number(rsa_numbers.n), "e": b64_number(rsa_numbers.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        name, size = next((name, size) for curve, name, size, _ in CURVES.values() if isinstance(key.curve, curve))
        numbers = key.public_key().public_numbers()
        own = {"kty": "EC", "crv": name, "x": b64_number(numbers.x, size), "y": b64_number(numbers.y, size)}
    else:
        curve = "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "Ed448"
        own = {"kty": "OKP", "crv": curve, "x": b64(key.public_key().public_bytes_raw())}
    return own | members


def sign(key: PrivateKey, algorithm: str, data: bytes) -> bytes:
    """A JWS signature (RFC 7518 section 3)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        _, _, size, digest = CURVES[algorithm]
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest())))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if isinstance(key, rsa.RSAPrivateKey):
        chosen = HASHES[algorithm[2:]]()
        pad = padding.PSS(padding.MGF1(chosen), chosen.digest_size) if algorithm[0] == "P" else padding.PKCS1v15()
        return key.sign(data, pad, chosen)
    return key.sign(data)


def token(key: PrivateKey, algorithm: str, claims: Any, **header: Any) -> str:
    """A compact JWS. A header member given as None is left out."""
    members = {"alg": algorithm, "typ": "JWT", "kid": "k1"} | header
    head = json.dumps({name: value for name, value in members.items() if value is not None})
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{b64(head.encode())}.{b64(payload)}".encode()
    return f"{signed.decode()}.{b64(sign(key, algorithm, signed))}"
