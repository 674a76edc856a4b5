"""Validates the ids in an event by their form. Never checks whether they exist."""

from service.domain.tickets.event import PoisonEvent
from service.domain.tickets.ids import LONGEST_ID, is_id, is_tenant_id


def check_tenant(tenant: str, name: str) -> None:
    """Raises PoisonEvent unless `tenant` is 1–64 ASCII letters, digits, `_` and `-`. `name` begins the reason."""
    if not is_tenant_id(tenant):
        raise PoisonEvent(f"{name}: must be 1 to 64 of the characters A-Z a-z 0-9 _ -")


def check_id(identifier: str, name: str) -> None:
    """Raises PoisonEvent unless `identifier` is 1–128 characters without control characters (C0, DEL, C1)."""
    if not is_id(identifier):
        size = len(identifier)
        problem = (
            "without control characters" if 0 < size <= LONGEST_ID else f"1 to {LONGEST_ID} characters, not {size}"
        )
        raise PoisonEvent(f"{name}: must be {problem}")
