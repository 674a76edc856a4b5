"""Names what an answer depends on beside the version of the counts. Never has anything readable in it."""

import base64
import hashlib

import msgspec

from service import timezones
from service.domain.tenants.view import Wanted
from service.domain.tickets.ticket import Instant

DIGEST_BYTES = 12
"""96 bits: no two questions of one tenant ever meet."""

_encode = msgspec.msgpack.Encoder().encode


def view_id(wanted: Wanted, catalogue: int, zone: str, now: Instant) -> str:
    """Changes with everything that can change the answer: scope, filters, profile, zone, local date, catalogue."""
    viewer = wanted.viewer
    meaning = (
        viewer.user,
        viewer.role,
        sorted(viewer.teams),
        wanted.perspective,
        wanted.filter_ids,
        wanted.profile_id,
        zone,
        timezones.local_date(now, zone),
        catalogue,
    )
    digest = hashlib.blake2b(_encode(meaning), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode()
