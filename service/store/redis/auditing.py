"""Implements audits in Redis: reads at one version, and the guarded repair. Never decides what is drift."""

from collections.abc import Iterator, Sequence

from service.domain.counting.contributions import column_changes
from service.domain.counting.scopes import EVERYONE
from service.store import codec, keys
from service.store.client.pipelined_connection import Argument, Reply
from service.store.ports.auditing import MARK_MS, AuditAsk, AuditedTicket, AuditRead, Repair, StoredCounter
from service.store.redis.reader import RedisReader
from service.store.replies import instant_in, pairs_of
from service.store.script import Script

AUDIT = Script("audit/audit", writes=True)
REPAIR = Script("audit/repair", writes=True)

_EVERY_COLUMN = -1
"""As a mask: all bits set."""


class RedisAuditing(RedisReader):
    """Implements `auditing.AuditedStore`, whose docstrings are the contract."""

    async def audit(self, ask: AuditAsk) -> AuditRead | None:
        bucket = self.bucket(ask.tenant)
        place = (bucket, ask.tenant, ask.generation)
        places = [keys.state(bucket), keys.due(bucket), keys.tenant(bucket, ask.tenant), keys.tickets(*place)]
        places += [keys.audit(bucket), keys.noted(bucket)]
        places += [key(*place, name) for key in (keys.counter, keys.timed) for name in ask.counters]
        prefix = keys.due_member(ask.tenant, ask.generation, "")
        cursor: Argument = "" if ask.cursor is None else ask.cursor
        arguments: list[Argument] = [prefix, ask.holder, ask.generation, MARK_MS, "begin" if ask.begin else "", cursor]
        arguments += [ask.limit, len(ask.counters), *ask.tickets]
        run, reply = await AUDIT.run_in(self._client, places, arguments)
        return None if reply is None else _read(run, ask, reply)

    async def end_audit(self, tenant: str, generation: str, holder: str) -> None:
        bucket = self.bucket(tenant)
        if codec.text(await self._client.call("GET", keys.audit(bucket)) or b"") == _mark(tenant, generation, holder):
            await self._client.call("DEL", keys.audit(bucket), keys.noted(bucket))

    async def repair(self, repair: Repair) -> int | None:
        bucket = self.bucket(repair.tenant)
        place = (bucket, repair.tenant, repair.generation)
        everyone = repair.counters.get(EVERYONE)
        others = {name: right for name, right in repair.counters.items() if name != EVERYONE}
        by_time = {name: right for name, right in repair.counters.items() if right.fields}
        places = [keys.tenant(bucket, repair.tenant), keys.audit(bucket)]
        places += [keys.counter(*place, name) for name in (EVERYONE, *others)]
        places += [keys.timed(*place, name) for name in by_time]
        plan = {
            "counters": [codec.counter_plan(right.masks) for right in others.values()],
            "fields": [right.fields for right in by_time.values()],
        }
        mark = _mark(repair.tenant, repair.generation, repair.holder)
        arguments: list[Argument] = [repair.tenant, mark, repair.generation, repair.version, codec.pack(plan)]
        if everyone is not None:
            arguments.append(codec.pack_columns(column_changes(everyone.masks.get("", {}))))
        version: int | None = await REPAIR.run(self._client, places, arguments)
        return version

    async def counter_names(self, cursor: int, limit: int) -> tuple[int, Sequence[tuple[str, str, str]]]:
        following, found = await self._client.scan(cursor, "MATCH", keys.ANY_BUCKET, "COUNT", limit)
        names = (keys.counter_in(codec.text(key)) for key in found)
        return following, [name for name in names if name is not None]


def _mark(tenant: str, generation: str, holder: str) -> str:
    return keys.due_member(tenant, generation, holder)


def _read(run: str, ask: AuditAsk, reply: list[Reply]) -> AuditRead:
    record_version, version, timers, next_due, cursor, left, found, counts, timed = reply
    counters = dict(_counters(ask.counters, counts, timed)) if left == 0 else None
    return AuditRead(
        run,
        codec.text(record_version),
        int(version),
        instant_in(timers),
        instant_in(next_due),
        int(cursor),
        left,
        [
            AuditedTicket(
                codec.text(name), codec.unpack_ticket_state(ticket_state) if ticket_state else None, instant_in(due_at)
            )
            for name, ticket_state, due_at in found
        ],
        counters,
    )


def _counters(
    names: Sequence[str], counts: Sequence[bytes], timed: Sequence[list[bytes]]
) -> Iterator[tuple[str, StoredCounter]]:
    for name, packed, flat in zip(names, counts, timed, strict=True):
        if name == EVERYONE:
            parts = {"": codec.columns_in(packed)}
        else:
            parts = codec.unpack_counter(packed, _EVERY_COLUMN) if packed else {}
        yield name, StoredCounter(parts, {codec.text(field): int(count) for field, count in pairs_of(flat)})
