"""Topic and group names of one test. Makes no topic: the product makes its own, a test the others."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Names that no other test uses."""

    events: str
    catalogue: str
    dead_letters: str
    group: str

    def environ(self) -> dict[str, str]:
        """The settings that point the product's processes at these names."""
        return {
            "TICKET_COUNTS_EVENTS_TOPIC": self.events,
            "TICKET_COUNTS_CATALOGUE_TOPIC": self.catalogue,
            "TICKET_COUNTS_DEAD_LETTER_TOPIC": self.dead_letters,
            "TICKET_COUNTS_GROUP": self.group,
        }


def new_topics() -> Topics:
    """Fresh names."""
    run = f"test-{uuid.uuid4().hex[:12]}"
    return Topics(f"{run}-events", f"{run}-catalogue", f"{run}-dead-letters", f"{run}-group")
