"""Packs the plan of one apply call for its script. Pure: knows no key, and writes nothing."""

from collections.abc import Mapping

from service.domain.counting.contributions import column_changes
from service.domain.counting.scopes import EVERYONE, PERSONS
from service.domain.tickets.ticket import TimeBucket
from service.store import codec
from service.store.ports.steps import Batch, TenantBatch, TicketWrite
from service.store.random_id import new_random_id


def packed_plan(batch: Batch, sent_at_ms: int | None = None, *, muted: bool = False) -> bytes:
    """Returns the first argument of the apply script. `sent_at_ms` is the server's time; None when unknown."""
    masks = _Masks()
    return codec.pack(
        {
            "topic": batch.topic,
            "epoch": new_random_id(),
            "now": str(batch.now),
            "first_due": _first_due(batch),
            "partial_due_batch": batch.partial_due_batch,
            "muted": muted,
            "sent_at": _or_none(sent_at_ms),
            "progress": [
                (partition, _or_none(progress.known), progress.position, _or_none(progress.lag_ms))
                for partition, progress in batch.progress.items()
            ],
            "tenants": [_tenant_plan(tenant, masks) for tenant in batch.tenants],
            "masks": masks.written,
        }
    )


def _or_none(number: int | None) -> int:
    """Encodes an optional non-negative number for the script: None becomes -1."""
    return -1 if number is None else number


def _first_due(batch: Batch) -> str:
    """Returns the earliest due time of the written tickets, as text; "" for none."""
    dues = [write.due_at for tenant in batch.tenants for write in tenant.writes if write.due_at is not None]
    return str(min(dues)) if dues else ""


def due_text(write: TicketWrite) -> str:
    """Returns a written ticket's due time as the script expects it: "" for unchanged, "-" for never due."""
    if write.due_at == write.due_before:
        return ""
    return "-" if write.due_at is None else str(write.due_at)


class _Masks:
    """Collects the distinct masks of a batch, to send each once: a ticket has the same mask in every counter."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._numbers: dict[int, int] = {}

    def flat(self, changes: Mapping[int, int]) -> list[int]:
        """Returns the changes as a flat list: the number of a mask in `written`, from 1, then its change, and so on.

        Example: {0b101: 1, 0b1: -1} becomes [1, 1, 2, -1], with `written` ["5", "1"].
        """
        flat = []
        for mask, change in changes.items():
            number = self._numbers.get(mask)
            if number is None:
                self.written.append(codec.mask_text(mask))
                number = self._numbers[mask] = len(self.written)
            flat += [number, change]
        return flat


def _tenant_plan(tenant: TenantBatch, masks: _Masks) -> dict[str, object]:
    return {
        "name": tenant.tenant,
        "token": tenant.record_version,
        "generation": tenant.generation,
        "as_of": "" if tenant.as_of is None else str(tenant.as_of),
        "writes": len(tenant.writes),
        "everyone": column_changes(tenant.deltas.get(EVERYONE, {}).get("", {})),
        "counters": [
            {part: masks.flat(changes) for part, changes in parts.items()}
            for counter, parts in tenant.deltas.items()
            if counter != EVERYONE
        ],
        "timed": [timed_fields(counter, parts) for counter, parts in tenant.time_buckets.items()],
    }


def timed_fields(counter: str, parts: Mapping[str, Mapping[TimeBucket, int]]) -> dict[str, int]:
    """Returns field -> change of one counter's time buckets.

    Counters of persons have one field per quarter hour and part. All others are read over whole days too, so that they
    also have fields per hour and per day. Example: when column 3 changes by +1 in quarter hour 193, `3:q193`, `3:h48`
    (193 // 4) and `3:d2` (193 // 96) each change by +1.
    """
    if counter.startswith(PERSONS):
        return {
            f"{column}:{quarter}:{part}": change
            for part, time_buckets in parts.items()
            for (column, quarter), change in time_buckets.items()
        }
    fields: dict[str, int] = {}
    for time_buckets in parts.values():
        for (column, quarter), change in time_buckets.items():
            for grain, size in (("q", 1), ("h", 4), ("d", 96)):
                field = f"{column}:{grain}{quarter // size}"
                fields[field] = fields.get(field, 0) + change
    return {field: change for field, change in fields.items() if change}
