"""The plan of one apply call, packed as its script reads it. Pure: knows no key, and writes nothing."""

from collections.abc import Mapping

from service.store import codec
from service.store.port import Batch, TenantBatch
from service.store.token import minted


def packed_plan(batch: Batch) -> bytes:
    """The first argument of the apply script, which says what is in it."""
    changes = _Changes()
    return codec.pack(
        {
            "topic": batch.topic,
            "epoch": minted(),
            "now": str(batch.now),
            "progress": [
                (partition, -1 if progress.known is None else progress.known, progress.position, progress.lag_ms)
                for partition, progress in batch.progress.items()
            ],
            "tenants": [_tenant_plan(tenant, changes) for tenant in batch.tenants],
            "changes": changes.flat,
        }
    )


class _Changes:
    """The distinct changes of a batch, to be sent once each: a ticket's is the same in most of its scopes."""

    def __init__(self) -> None:
        self.flat: list[list[int]] = []
        self._numbers: dict[int, int] = {}

    def number(self, cells: Mapping[int, int]) -> int:
        """The place of this change among all, from 1."""
        # By identity, which is cheap: equal ones are mostly the same object, and all live as long as the batch.
        number = self._numbers.get(id(cells))
        if number is None:
            self.flat.append([value for cell in cells.items() for value in cell])
            number = self._numbers[id(cells)] = len(self.flat)
        return number


def _tenant_plan(tenant: TenantBatch, changes: _Changes) -> dict[str, object]:
    return {
        "name": tenant.tenant,
        "token": tenant.token,
        "generation": tenant.generation,
        "as_of": "" if tenant.as_of is None else str(tenant.as_of),
        "writes": len(tenant.writes),
        "everyone": tenant.deltas.get("*", {}).get("", {}),
        "counters": [
            {part: changes.number(cells) for part, cells in parts.items()}
            for counter, parts in tenant.deltas.items()
            if counter != "*"
        ],
    }
