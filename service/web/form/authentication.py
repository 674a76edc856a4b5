"""Authenticates a call: finds its credential, and checks secret and address. Never logs or keeps the sent secret."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import partial

from service.domain.catalogue.catalogue import Credential
from service.domain.tickets.ids import is_id
from service.queries.confirmation import confirmed
from service.store.ports.catalogue import EntryReader
from service.web.form.addresses import is_allowed
from service.web.form.attempts import Attempts
from service.web.form.errors import FormRefused, authentication_failed, invalid_ip
from service.web.form.fields import Fields

_MD5 = re.compile(r"[0-9A-Fa-f]{32}")


def matches_hash(secret: str, hashes: Sequence[str]) -> bool:
    """Whether the secret's SHA-256 is one of `hashes` (lower-case hex). Lone surrogates are bytes, see `Fields`."""
    digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
    # Compares with all hashes in constant time, so that the time tells nothing about them.
    return sum(hmac.compare_digest(digest, each) for each in hashes) > 0


def md5_matches_hash(md5: str, hashes: Sequence[str]) -> bool:
    """`matches_hash` for the hex MD5 of a password, in either letter case: clients and publishers differ about it."""
    if _MD5.fullmatch(md5) is None:
        return False
    return matches_hash(md5.lower(), hashes) | matches_hash(md5.upper(), hashes)


IDENTIFIER = frozenset(("identifier", "secret"))
USERNAME = frozenset(("username", "password"))

LONGEST_NAME = 1_024
"""Longest admin name that is looked up, in characters; panels allow 255."""


class Authentication:
    """Authenticates calls. Reads the credential at every call, so a withdrawn one is refused at once."""

    def __init__(self, reader: EntryReader, attempts: Attempts) -> None:
        self._reader = reader
        self._attempts = attempts

    async def credential(self, fields: Fields, address: str, caller: str) -> Credential:
        """Returns the credential of the call; `caller` is the network whose failed attempts are counted together.

        Raises FormRefused, Refused after too many failures, StoreUnavailable, and Warming while the store may lack the
        credential only because the catalogue isn't read to its end yet.
        """
        sent = {name for name in IDENTIFIER | USERNAME if fields.get(name)}
        if sent not in (IDENTIFIER, USERNAME):
            raise authentication_failed("the fields are not exactly one pair of name and secret")
        name = fields["identifier" if sent == IDENTIFIER else "username"]
        async with self._attempts.attempt(caller, name) as attempt:
            read = partial(self._found, fields, name, by_username=sent == USERNAME)
            found = await confirmed(read, self._reader.catalogue_read)
            refused = _refusal(found, fields, address)
            # With the right secret from a wrong address, only a wrong access key is a guess.
            attempt.failed = refused is not None and (found is None or bool(fields.get("accesskey")))
        if refused is not None:
            raise refused
        assert found is not None
        return found

    async def _found(self, fields: Fields, name: str, *, by_username: bool) -> Credential | None:
        secret = fields["password" if by_username else "secret"]
        credential = await self._reader.credential(name) if is_id(name) else None
        if credential is not None and matches_hash(secret, credential.secret_sha256):
            return credential
        if not by_username or len(name) > LONGEST_NAME or not _is_text(name):
            return None
        return _with_password(await self._reader.credentials_of(name), secret)


def is_one_admin(credentials: Sequence[Credential]) -> bool:
    """Whether all credentials belong to one admin. A name that several admins share authenticates none of them."""
    return len({(credential.tenant, credential.admin.id) for credential in credentials}) == 1


def _with_password(credentials: Sequence[Credential], md5: str) -> Credential | None:
    """Returns the only credential with this password; None for several, since their rights may differ."""
    matching = [credential for credential in credentials if md5_matches_hash(md5, credential.password_sha256)]
    return matching[0] if len(matching) == 1 and is_one_admin(credentials) else None


def _refusal(found: Credential | None, fields: Fields, address: str) -> FormRefused | None:
    if found is None:
        return authentication_failed("no credential has this name and secret")
    key = fields.get("accesskey")
    if is_allowed(address, found.allowed_ips) or (key and matches_hash(key, found.access_key_sha256)):
        return None
    return invalid_ip(address)


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
