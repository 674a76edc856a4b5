"""What an audit does in Redis: reads that are of one version, and the guarded repair. Decides nothing about drift."""

from collections.abc import Iterator, Sequence

from service.domain.contributions import column_changes
from service.domain.scopes import EVERYONE
from service.store import codec, keys
from service.store.auditing import MARK_MS, AuditAsk, AuditedTicket, AuditRead, Repair, StoredCounter
from service.store.redis_reader import RedisReader
from service.store.replies import instant_in, pairs_of
from service.store.script import Script
from service.store.wire import Argument, Reply

AUDIT = Script("audit", writes=True)
REPAIR = Script("repair", writes=True)

_EVERY_COLUMN = -1
"""As a mask."""


class RedisAuditing(RedisReader):
    """See `auditing.AuditedStore` for what each method promises."""

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        bucket = self.bucket(ask.tenant)
        place = (bucket, ask.tenant, ask.generation)
        packed = [name for name in ask.counters if name != EVERYONE]
        hashes = [keys.counter(*place, EVERYONE)] if EVERYONE in ask.counters else []
        places = [keys.state(bucket), keys.due(bucket), keys.tenant(bucket, ask.tenant), keys.tickets(*place)]
        places += [keys.audit(bucket), keys.noted(bucket), *(keys.counter(*place, name) for name in packed)]
        places += [*hashes, *(keys.timed(*place, name) for name in ask.counters)]
        whose = keys.due_member(ask.tenant, ask.generation, "")
        cursor: Argument = "" if ask.cursor is None else ask.cursor
        arguments: list[Argument] = [whose, ask.holder, ask.generation, MARK_MS, "begin" if ask.begin else "", cursor]
        arguments += [ask.limit, len(packed), *ask.tickets]
        run, reply = await AUDIT.run_in(self._wire, places, arguments)
        return None if reply is None else _read(run, ask, packed, reply)

    async def end_audit(self, tenant: str, generation: str, holder: str) -> None:
        bucket = self.bucket(tenant)
        if codec.text(await self._wire.call("GET", keys.audit(bucket)) or b"") == _mark(tenant, generation, holder):
            await self._wire.call("DEL", keys.audit(bucket), keys.noted(bucket))

    async def repair(self, repair: Repair) -> int | None:
        bucket = self.bucket(repair.tenant)
        place = (bucket, repair.tenant, repair.generation)
        packed = {name: right for name, right in repair.counters.items() if name != EVERYONE}
        by_column = {name: right for name, right in repair.counters.items() if name == EVERYONE}
        by_time = {name: right for name, right in repair.counters.items() if right.fields}
        places = [keys.tenant(bucket, repair.tenant), keys.audit(bucket)]
        places += [keys.counter(*place, name) for name in (*packed, *by_column)]
        places += [keys.timed(*place, name) for name in by_time]
        plan = {
            "packed": [codec.counter_plan(right.masks) for right in packed.values()],
            "columns": [column_changes(right.masks.get("", {})) for right in by_column.values()],
            "fields": [right.fields for right in by_time.values()],
        }
        mark = _mark(repair.tenant, repair.generation, repair.holder)
        arguments: list[Argument] = [repair.tenant, mark, repair.generation, repair.version, codec.pack(plan)]
        version: int | None = await REPAIR.run(self._wire, places, arguments)
        return version

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        following, found = await self._wire.call("SCAN", cursor, "MATCH", keys.ANY_BUCKET, "COUNT", limit)
        names = (keys.counter_in(codec.text(key)) for key in found)
        return int(following), [name for name in names if name is not None]


def _mark(tenant: str, generation: str, holder: str) -> str:
    return keys.due_member(tenant, generation, holder)


def _read(run: str, ask: AuditAsk, packed: Sequence[str], reply: list[Reply]) -> AuditRead:
    token, version, timers, next_due, cursor, left, found, values, hashes = reply
    counters = dict(_counters(ask, packed, values, hashes)) if left == 0 else None
    return AuditRead(
        run,
        codec.text(token),
        int(version),
        instant_in(timers),
        instant_in(next_due),
        int(cursor),
        left,
        [
            AuditedTicket(codec.text(name), codec.unpack_image(image) if image else None, instant_in(due_at))
            for name, image, due_at in found
        ],
        counters,
    )


def _counters(
    ask: AuditAsk, packed: Sequence[str], values: Sequence[bytes], hashes: Sequence[list[bytes]]
) -> Iterator[tuple[str, StoredCounter]]:
    by_name = {
        name: codec.unpack_counter(value, _EVERY_COLUMN) if value else {}
        for name, value in zip(packed, values, strict=True)
    }
    if EVERYONE in ask.counters:
        everyone, *hashes = hashes
        by_name[EVERYONE] = {"": {int(column): int(count) for column, count in pairs_of(everyone)}}
    for name, flat in zip(ask.counters, hashes, strict=True):
        yield name, StoredCounter(by_name[name], {codec.text(field): int(count) for field, count in pairs_of(flat)})
