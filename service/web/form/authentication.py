"""Which credential a call is made with, and whether it is good from there. Never logs or keeps what was sent."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import partial

from service.domain.catalogue.catalogue import Credential
from service.domain.tickets.ids import is_id
from service.queries.confirmation import confirmed
from service.store.ports.catalogue import CatalogueReader
from service.web.form.addresses import is_allowed
from service.web.form.attempts import Attempts
from service.web.form.errors import FormRefused, authentication_failed, invalid_ip
from service.web.form.fields import Fields

_MD5 = re.compile(r"[0-9A-Fa-f]{32}")


def fits(secret: str, hashes: Sequence[str]) -> bool:
    """Whether the secret has one of these SHA-256, hex in lower case. Half surrogates stand for bytes, see `fields`."""
    digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
    # Each is compared, whichever fits: the time says nothing about which one was near.
    return sum(hmac.compare_digest(digest, each) for each in hashes) > 0


def md5_fits(md5: str, hashes: Sequence[str]) -> bool:
    """The same for the hex md5 of a password: clients send it in either letter case, and publishers hash either."""
    if _MD5.fullmatch(md5) is None:
        return False
    return fits(md5.lower(), hashes) | fits(md5.upper(), hashes)


IDENTIFIER = frozenset(("identifier", "secret"))
USERNAME = frozenset(("username", "password"))

LONGEST_NAME = 1_024
"""Characters of an admin's name that are looked up; panels allow 255 at most."""


class Authentication:
    """Reads credentials at every call: one that is withdrawn is refused from then on."""

    def __init__(self, reader: CatalogueReader, attempts: Attempts) -> None:
        self._reader = reader
        self._attempts = attempts

    async def credential(self, fields: Fields, address: str, caller: str) -> Credential:
        """The credential; `caller` is the network whose attempts are counted together with this one's.

        Raises FormRefused, Refused for too many failures, StoreUnavailable, and Warming where the store may only not
        have it yet.
        """
        sent = {name for name in IDENTIFIER | USERNAME if fields.get(name)}
        if sent not in (IDENTIFIER, USERNAME):
            raise authentication_failed("neither exactly one pair nor a whole one was sent")
        name = fields["identifier" if sent == IDENTIFIER else "username"]
        async with self._attempts.attempt(caller, name) as attempt:
            read = partial(self._found, fields, name, by_username=sent == USERNAME)
            found = await confirmed(read, self._reader.catalogue_read)
            refused = _refusal(found, fields, address)
            # From a wrong address the only thing left to guess is the access key.
            attempt.failed = refused is not None and (found is None or bool(fields.get("accesskey")))
        if refused is not None:
            raise refused
        assert found is not None
        return found

    async def _found(self, fields: Fields, name: str, *, by_username: bool) -> Credential | None:
        secret = fields["password" if by_username else "secret"]
        credential = await self._reader.credential(name) if is_id(name) else None
        if credential is not None and fits(secret, credential.secret_sha256):
            return credential
        if not by_username or len(name) > LONGEST_NAME or not _is_text(name):
            return None
        return _of_admin(await self._reader.credentials_of(name), secret)


def one_admin(found: Sequence[Credential]) -> bool:
    """Whether all of these are the same person's; a name that several admins have is nobody's."""
    return len({(credential.tenant, credential.admin.id) for credential in found}) == 1


def _of_admin(found: Sequence[Credential], md5: str) -> Credential | None:
    """The one credential that the password opens: with several it would be chance which rights the caller gets."""
    fitting = [credential for credential in found if md5_fits(md5, credential.password_sha256)]
    return fitting[0] if len(fitting) == 1 and one_admin(found) else None


def _refusal(found: Credential | None, fields: Fields, address: str) -> FormRefused | None:
    if found is None:
        return authentication_failed("no credential fits")
    key = fields.get("accesskey")
    if is_allowed(address, found.allowed_ips) or (key and fits(key, found.access_key_sha256)):
        return None
    return invalid_ip(address)


def _is_text(name: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in name)
