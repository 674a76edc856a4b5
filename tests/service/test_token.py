"""Development tokens: good for a realm that has the printed keys, under the claims where realms look by default."""

import json
import stat
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from service.token import (
    ALGORITHMS,
    KeyFileUnusable,
    PrivateKey,
    generate,
    jwks,
    load_key,
    main,
    mint,
    new_key,
    thumbprint,
)
from tests.support.starting import start_here

NOW_S = 1_795_300_000


def token(key: PrivateKey, **changed: Any) -> str:
    options: dict[str, Any] = {
        "realm": "acme", "issuer": "https://id.example.org/realms/acme", "tenants": ["t1"], "user": "agent-12",
        "roles": ["ticket_agent"], "teams": ["network", "vpn"], "now_s": NOW_S,
    }  # fmt: skip
    return mint(key, **{**options, **changed})


def verified(minted: str, key_set: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The claims, as a verifier that knows nothing but the key set sees them."""
    keys = jwt.PyJWKSet.from_dict(key_set)
    header = jwt.get_unverified_header(minted)
    claims: dict[str, Any] = jwt.decode(
        minted, keys[header["kid"]], algorithms=[header["alg"]], options={"verify_exp": False}, **options
    )
    return claims


def command(*arguments: object) -> list[str]:
    return ["service.token", *map(str, arguments)]


WHO = ("--realm", "acme", "--issuer", "iss", "--tenant", "t1", "--user", "u", "--role", "ticket_admin")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_is_good_by_the_printed_key_set(algorithm: str, tmp_path: Path) -> None:
    made = new_key(tmp_path / "key.pem", algorithm)
    minted = token(load_key(tmp_path / "key.pem"))
    assert verified(minted, json.loads(json.dumps(jwks(made)))) == {
        "iss": "https://id.example.org/realms/acme",
        "sub": "agent-12",
        "iat": NOW_S,
        "exp": NOW_S + 3_600,
        "typ": "Bearer",
        "realm": "acme",
        "tenants": ["t1"],
        "realm_access": {"roles": ["ticket_agent"]},
        "teams": ["network", "vpn"],
    }
    assert jwt.get_unverified_header(minted) == {"alg": algorithm, "kid": thumbprint(made), "typ": "JWT"}


def test_another_key_of_the_same_kind_does_not_verify() -> None:
    mine, other = generate(), generate()
    forged = {"keys": [{**jwks(other)["keys"][0], "kid": thumbprint(mine)}]}
    with pytest.raises(jwt.InvalidSignatureError):
        verified(token(mine), forged)


def test_audience_and_lifetime_are_as_asked() -> None:
    key = generate()
    one = verified(token(key, audience=["counts"], ttl_s=5), jwks(key), audience="counts")
    two = verified(token(key, audience=["counts", "x"]), jwks(key), audience="x")
    assert (one["aud"], one["exp"], two["aud"]) == ("counts", NOW_S + 5, ["counts", "x"])


def test_the_key_set_has_no_private_member() -> None:
    for algorithm in ALGORITHMS:
        (key,) = jwks(generate(algorithm))["keys"]
        assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)
        assert (key["alg"], key["use"]) == (algorithm, "sig")


def test_the_key_id_is_the_thumbprint_of_rfc_7638() -> None:
    # The example key of RFC 8037 appendix A.1 and its thumbprint of A.3.
    seed = jwt.utils.base64url_decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
    pem = serialization.load_der_private_key(bytes.fromhex("302e020100300506032b657004220420") + seed, password=None)
    assert thumbprint(pem) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # type: ignore[arg-type]


def test_a_key_file_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    new_key(path)
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyFileUnusable, match=r"key\.pem: exists already"):
        new_key(path)
    assert path.read_bytes() == before


def write_key(path: Path, key: PrivateKeyTypes, password: bytes | None = None) -> None:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))


def test_files_that_hold_no_usable_key_are_named_with_the_reason(tmp_path: Path) -> None:
    public = generate().public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "text").write_text("hello")
    (tmp_path / "public").write_bytes(public.public_bytes(serialization.Encoding.PEM, spki))
    write_key(tmp_path / "locked", generate(), b"sesame")
    write_key(tmp_path / "p384", ec.generate_private_key(ec.SECP384R1()))
    write_key(tmp_path / "short", rsa.generate_private_key(public_exponent=65_537, key_size=1_024))
    for name, reason in {
        "absent": "No such file",
        "text": "is not a private key in PEM",
        "public": "is not a private key in PEM",
        "locked": "is encrypted",
        "p384": "must be an RSA key of 2048 bits or more, a P-256 or an Ed25519 key",
        "short": "must be an RSA key of 2048 bits or more",
    }.items():
        with pytest.raises(KeyFileUnusable, match=f"{name}: {reason}"):
            load_key(tmp_path / name)


def test_a_traditional_pem_is_read_too(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    pem = key.private_bytes(serialization.Encoding.PEM, traditional, serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    assert thumbprint(load_key(tmp_path / "key.pem")) == thumbprint(key)


def test_the_command_makes_a_key_then_tokens_that_its_key_set_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "key.pem"
    assert main(command("--key", path, "--new-key")) == 0
    key_set = json.loads(capsys.readouterr().out)
    teams = ("--team", "a", "--team", "b", "--tenant", "t2", "--role", "extra", "--ttl", "60")
    assert main(command("--key", path, *WHO, *teams)) == 0
    claims = verified(capsys.readouterr().out.strip(), key_set)
    assert (claims["teams"], claims["tenants"]) == (["a", "b"], ["t1", "t2"])
    assert claims["realm_access"] == {"roles": ["ticket_admin", "extra"]}
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize("left_out", ["--realm", "--issuer", "--tenant", "--user", "--role"])
def test_the_command_names_what_is_left_out(left_out: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = WHO.index(left_out)
    with pytest.raises(SystemExit) as ended:
        main(command("--key", "key.pem", *WHO[:at], *WHO[at + 2 :]))
    assert ended.value.code == 2
    assert f"required: {left_out}" in capsys.readouterr().err


def test_the_command_ends_in_one_line_where_the_key_is_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("--key", tmp_path / "absent", *WHO)) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{tmp_path}/absent: No such file or directory\n")
    new_key(tmp_path / "key.pem")
    assert main(command("--key", tmp_path / "key.pem", "--algorithm", "RS256", *WHO)) == 1
    assert capsys.readouterr().err.endswith("key.pem: is a key for ES256, not for RS256\n")
    assert main(command("--key", tmp_path / "key.pem", "--new-key")) == 1
    assert "exists already" in capsys.readouterr().err


def test_python_m_service_token_runs() -> None:
    done = start_here("service.token", "--help")
    assert done.returncode == 0
    assert "--new-key" in done.stdout
