"""Random ticket histories as records of the log. All records are valid; `bad_records` makes the others."""

from typing import Any

from tests.oracle.generated.choices import Choices
from tests.oracle.generated.random_tickets import (
    Pools,
    Shape,
    field_value,
    format_instant,
    past_us,
    patch_of,
    whole_ticket,
)
from tests.oracle.published.records import MAX_SEQUENCE, MERGE_PATCH, LogItem, Record

# Beyond 2^53 doubles can't represent every whole number, and 2^63-1 is the highest sequence.
LEAPS = (2**31, 2**53, MAX_SEQUENCE - 2, MAX_SEQUENCE)
CHANGES = ("status", "assignee", "team", "requester", "priority", "tags", "fields", "slaBreached", "dueAt", "category")


class History:
    """The history of one ticket. `items` are its records in the order of the changes."""

    def __init__(self, choices: Choices, shape: Shape, pools: Pools, tenant: str, ticket: str) -> None:
        self.choices, self.shape, self.pools = choices, shape, pools
        self.tenant, self.ticket = tenant, ticket
        self.items: list[LogItem] = []
        self.sequence = choices.pick((1, 0, 7, 2**53))
        self.data: dict[str, Any] | None = None
        self.used: set[int] = set()
        self.in_order = False

    def records(self) -> list[LogItem]:
        """Generates and returns all records, shuffled if the shape and the kinds of events allow it."""
        self.write("ticket.created", whole_ticket(self.choices, self.shape, self.pools))
        for _ in range(self.choices.integer(0, self.shape.steps)):
            self.step()
        if self.shape.reorder and not self.in_order and self.choices.chance(40):
            return self.choices.shuffled(self.items)
        return self.items

    def step(self) -> None:
        """Adds the record of one random action."""
        if self.sequence == MAX_SEQUENCE and not self.shape.equal_sequences:
            return
        actions = ["change", "change", "change", "close", "reopen", "delete", "again"]
        actions += ["patch"] * 2 if self.shape.patches else []
        actions += ["tombstone"] if self.shape.tombstones else []
        actions += ["late"] if self.shape.reorder else []
        actions += ["equal"] if self.shape.equal_sequences else []
        action = self.choices.pick(actions)
        if action == "again":
            self.again()
        elif action in ("late", "equal"):
            self.out_of_turn(action)
        elif self.data is None and action != "tombstone":
            self.recreate()
        else:
            getattr(self, action)()

    def again(self) -> None:
        """Adds a duplicate. A repeated tombstone without a sequence counts as another delete."""
        item = self.choices.pick(self.items)
        if isinstance(item, Record) and not item.headers:
            self.grow()
            self.data = None
        self.items.append(item)

    def change(self) -> None:
        data = dict(self.data or {})
        for name in self.choices.some(CHANGES, 1, 3):
            data[name] = field_value(self.choices, self.shape, self.pools, name)
        self.grow()
        self.write("ticket.updated", data)

    def close(self) -> None:
        """Adds a `ticket.closed` with any status. The event type decides only for an unknown status."""
        data = dict(self.data or {})
        if self.choices.chance(80):
            data["status"] = self.choices.pick(self.pools.statuses[-2:])
            data["closedAt"] = format_instant(self.choices, past_us(self.choices, self.shape))
        self.grow()
        self.write("ticket.closed", data)

    def reopen(self) -> None:
        self.grow()
        self.write("ticket.updated", {**(self.data or {}), "status": self.pools.statuses[0], "closedAt": None})

    def patch(self) -> None:
        """Adds a merge patch. `data` stays as it is, because the next whole ticket replaces everything."""
        self.in_order = True
        self.grow()
        type_ = self.choices.pick(("ticket.updated", "ticket.updated", "ticket.closed"))
        item = self.cloud_event(type_, self.sequence, patch_of(self.choices, self.shape, self.pools))
        item["datacontenttype"] = self.choices.pick((MERGE_PATCH, f"{MERGE_PATCH}; charset=utf-8"))
        self.items.append(item)

    def delete(self) -> None:
        self.grow()
        self.data = None
        item = self.cloud_event("ticket.deleted", self.sequence, None)
        if self.choices.chance(50):
            del item["data"]
        self.items.append(item)

    def tombstone(self) -> None:
        """Adds a tombstone. Without a sequence its place in the log matters, so the history stays in order."""
        headers: tuple[tuple[str, bytes], ...] = ()
        self.grow()
        if self.choices.chance(50):
            headers = (("ce_sequence", str(self.sequence).encode()), ("ce_type", b"ticket.updated"))
        else:
            self.in_order = True
        self.data = None
        self.items.append(Record(None, f"{self.tenant}/{self.ticket}".encode(), headers))

    def recreate(self) -> None:
        """Restores a deleted ticket with an event of either type."""
        self.grow()
        type_ = self.choices.pick(("ticket.created", "ticket.updated"))
        self.write(type_, whole_ticket(self.choices, self.shape, self.pools))

    def out_of_turn(self, action: str) -> None:
        """Adds a whole ticket that is late, or has a sequence that is already used."""
        sequence = self.sequence if action == "equal" else self.choices.integer(0, max(0, self.sequence - 1))
        if sequence in self.used and not self.shape.equal_sequences:
            return
        data = whole_ticket(self.choices, self.shape, self.pools)
        self.items.append(self.cloud_event("ticket.updated", sequence, data))

    def grow(self) -> None:
        """Increases the sequence, mostly by one."""
        grown = self.sequence + self.choices.pick((1, 1, 1, 2, 1000))
        if self.choices.chance(4):
            grown = max(grown, self.choices.pick(LEAPS))
        self.sequence = min(grown, MAX_SEQUENCE)
        self.used.add(self.sequence)

    def write(self, type_: str, data: dict[str, Any]) -> None:
        self.data = data
        self.items.append(self.cloud_event(type_, self.sequence, data))

    def cloud_event(self, type_: str, sequence: int, data: dict[str, Any] | None) -> dict[str, Any]:
        self.used.add(sequence)
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"e-{len(self.items)}",
            "source": "/helpdesk/eu",
            "type": type_,
            "subject": self.ticket,
            "tenantid": self.tenant,
            "sequence": str(sequence) if self.choices.chance(75) else sequence,
            "data": data,
        }
        if self.choices.chance(80):
            event["time"] = format_instant(self.choices, past_us(self.choices, self.shape))
        if self.choices.chance(10):
            event["datacontenttype"] = "application/json"
        if self.choices.chance(5):
            event["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        return event


def interleaved(choices: Choices, histories: list[list[LogItem]]) -> list[LogItem]:
    """Merges the histories into one log. Each keeps its own order."""
    left = [list(history) for history in histories if history]
    log: list[LogItem] = []
    while left:
        chosen = choices.pick(left)
        log.append(chosen.pop(0))
        left = [history for history in left if history]
    return log
