"""What may stand as an id in an event. Only checks: never looks anything up."""

import re

from service.domain.event import PoisonEvent

LONGEST_ID = 128
"""Characters of a ticket's, user's, team's, status's, … id."""

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_tenant(tenant: str, name: str) -> None:
    """Raises PoisonEvent unless it is 1–64 ASCII letters, digits, `_` and `-`."""
    if not _TENANT.fullmatch(tenant):
        raise PoisonEvent(f"{name}: must be 1 to 64 of the characters A-Z a-z 0-9 _ -")


def check_id(identifier: str, name: str) -> None:
    """Raises PoisonEvent unless it is 1–128 characters without control characters (C0, DEL, C1)."""
    if not 1 <= len(identifier) <= LONGEST_ID:
        raise PoisonEvent(f"{name}: must be 1 to {LONGEST_ID} characters, not {len(identifier)}")
    # isprintable is a tenth of a search but refuses more, such as joiners and unassigned characters.
    if not identifier.isprintable() and _CONTROL_CHARACTER.search(identifier):
        raise PoisonEvent(f"{name}: must be without control characters")
