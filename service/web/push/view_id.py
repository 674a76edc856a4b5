"""Computes the view part of a state's id: a digest of all that an answer depends on but the counts. Never readable."""

import base64
import hashlib

import msgspec

from service import timezones
from service.domain.tenants.view import CountRequest
from service.domain.tickets.ticket import Instant

DIGEST_BYTES = 12
"""96 bits: two views of one tenant never collide in practice."""

_encode = msgspec.msgpack.Encoder().encode


def view_id(count_request: CountRequest, catalogue_version: int, zone: str, now: Instant) -> str:
    """Returns an id that changes with each of: scope, filters, profile, zone, local date, catalogue version."""
    viewer = count_request.viewer
    dependencies = (
        viewer.user,
        viewer.role,
        sorted(viewer.teams),
        count_request.perspective,
        count_request.filter_ids,
        count_request.profile_id,
        zone,
        timezones.local_date(now, zone),
        catalogue_version,
    )
    digest = hashlib.blake2b(_encode(dependencies), digest_size=DIGEST_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode()
