"""Which texts can be ids at all. Never asks whether they exist. Pure."""

import re

LONGEST_ID = 128
"""Characters of a ticket's, user's, team's, status's, … id."""

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (C0, DEL, C1), and halves of surrogate pairs, which no encoding carries."""


def is_tenant_id(text: str) -> bool:
    """Whether a tenant can be named so."""
    return _TENANT.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether a ticket, a user, a team, a realm … can be named so: 1 to 128 characters without control characters."""
    # isprintable is a tenth of a search but refuses more, such as joiners and unassigned characters.
    return 0 < len(text) <= LONGEST_ID and (text.isprintable() or _UNPRINTABLE.search(text) is None)
