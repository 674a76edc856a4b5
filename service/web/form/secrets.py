"""Whether what a client sent fits what is stored: hashes only, compared in constant time. Never keeps a secret."""

import hashlib
import hmac
import re
from collections.abc import Sequence

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
