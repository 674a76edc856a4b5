"""Which texts can be ids of tenants, realms and users at all. Never asks whether they exist."""

import re

TENANT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

ID_CHARACTERS = 128

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (C0, DEL, C1), and halves of surrogate pairs, which no encoding carries."""


def is_tenant_id(text: str) -> bool:
    """Whether a tenant can be named so."""
    return TENANT_ID.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether a user, a team or a realm can be named so: 1 to 128 characters without control characters."""
    return 0 < len(text) <= ID_CHARACTERS and UNPRINTABLE.search(text) is None
