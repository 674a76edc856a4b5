"""The syntax of ids. Never checks whether an id exists. Pure."""

import re

LONGEST_ID = 128
"""Characters, for every kind of id except a tenant's."""

_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (C0, DEL, C1), and halves of surrogate pairs, which UTF-8 can't encode."""


def is_tenant_id(text: str) -> bool:
    """Whether the text can be a tenant's id: 1 to 64 of the characters A-Z a-z 0-9 _ -."""
    return _TENANT.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether the text can be the id of anything but a tenant: 1 to 128 characters without control characters."""
    # isprintable takes a tenth of the time of the search but refuses more: joiners and unassigned characters.
    return 0 < len(text) <= LONGEST_ID and (text.isprintable() or _UNPRINTABLE.search(text) is None)
