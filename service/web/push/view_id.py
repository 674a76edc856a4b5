"""Names what an answer depends on beside the version of the counts. Never has anything readable in it."""

import base64
import hashlib

import msgspec

from service import timezones
from service.domain.tenants.view import CountRequest
from service.domain.tickets.ticket import Instant

DIGEST_BYTES = 12
"""96 bits: no two questions of one tenant ever meet."""

_encode = msgspec.msgpack.Encoder().encode


def view_id(count_request: CountRequest, catalogue: int, zone: str, now: Instant) -> str:
    """Changes with everything that can change the answer: scope, filters, profile, zone, local date, catalogue."""
    viewer = count_request.viewer
    meaning = (
        viewer.user,
        viewer.role,
        sorted(viewer.teams),
        count_request.perspective,
        count_request.filter_ids,
        count_request.profile_id,
        zone,
        timezones.local_date(now, zone),
        catalogue,
    )
    digest = hashlib.blake2b(_encode(meaning), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode()
