"""The plan of one apply call, packed as its script reads it. Pure: knows no key, and writes nothing."""

from collections.abc import Mapping

from service.domain.contributions import column_changes
from service.domain.scopes import EVERYONE
from service.store import codec
from service.store.port import Batch, TenantBatch
from service.store.token import minted


def packed_plan(batch: Batch) -> bytes:
    """The first argument of the apply script, which says what is in it."""
    masks = _Masks()
    return codec.pack(
        {
            "topic": batch.topic,
            "epoch": minted(),
            "now": str(batch.now),
            "progress": [
                (partition, -1 if progress.known is None else progress.known, progress.position, progress.lag_ms)
                for partition, progress in batch.progress.items()
            ],
            "tenants": [_tenant_plan(tenant, masks) for tenant in batch.tenants],
            "masks": masks.written,
        }
    )


class _Masks:
    """The distinct masks of a batch, to be sent once each: a ticket's are the same in all of its places."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self._numbers: dict[int, int] = {}

    def flat(self, changes: Mapping[int, int]) -> list[int]:
        """The changes as a list in which the place of a mask among all, from 1, and its change take turns."""
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
        "token": tenant.token,
        "generation": tenant.generation,
        "as_of": "" if tenant.as_of is None else str(tenant.as_of),
        "writes": len(tenant.writes),
        "everyone": column_changes(tenant.deltas.get(EVERYONE, {}).get("", {})),
        "counters": [
            {part: masks.flat(changes) for part, changes in parts.items()}
            for counter, parts in tenant.deltas.items()
            if counter != EVERYONE
        ],
    }
