"""Keeps unknown ids in Redis: one small hash per tenant. Never decides which ids are unknown."""

from collections.abc import Sequence

from service.store import codec, keys
from service.store.client.pipelined_connection import Argument
from service.store.ports.unknown_ids import KEPT_S, MOST_KEPT, UnknownId, newest_first
from service.store.redis.reader import RedisReader
from service.store.replies import pairs_of
from service.store.script import Script

NOTE = Script("step/note_unknown_ids", writes=True)


class RedisUnknownIds(RedisReader):
    """Implements `unknown_ids.UnknownIdStore`, whose docstrings are the contract."""

    async def note_unknown_ids(self, tenant: str, found: Sequence[UnknownId]) -> None:
        if found:
            bucket = self.bucket(tenant)
            arguments: list[Argument] = [MOST_KEPT, KEPT_S]
            for unknown in found:
                arguments += [f"{unknown.field} {unknown.id}", f"{unknown.at // 1000:015} {unknown.ticket}"]
            await NOTE.run(self._client, [keys.tenant(bucket, tenant), keys.unknown_ids(bucket, tenant)], arguments)

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        flat = await self._client.call("HGETALL", keys.unknown_ids(self.bucket(tenant), tenant))
        return newest_first(_read(codec.text(name), codec.text(value)) for name, value in pairs_of(flat))


def _read(name: str, value: str) -> UnknownId:
    field, _, id_ = name.partition(" ")
    at_ms, _, ticket = value.partition(" ")
    return UnknownId(field, id_, ticket, int(at_ms) * 1000)
