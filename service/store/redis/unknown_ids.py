"""Unknown ids in Redis: one small hash a tenant. Decides nothing about what is known."""

from collections.abc import Sequence

from service.store import codec, keys
from service.store.client.pipelined_connection import Argument
from service.store.ports.unknown_ids import KEPT_S, MOST_KEPT, UnknownId, newest_first
from service.store.redis.reader import RedisReader
from service.store.replies import pairs_of
from service.store.script import Script

NOTE = Script("step/note_unknown_ids", writes=True)


class RedisUnknownIds(RedisReader):
    """See `unknown_ids.UnknownIdStore` for what each method promises."""

    async def note_unknown_ids(self, tenant: str, met: Sequence[UnknownId]) -> None:
        if met:
            bucket = self.bucket(tenant)
            arguments: list[Argument] = [MOST_KEPT, KEPT_S]
            for one in met:
                arguments += [f"{one.field} {one.id}", f"{one.at // 1000:015} {one.ticket}"]
            await NOTE.run(self._client, [keys.tenant(bucket, tenant), keys.unknown_ids(bucket, tenant)], arguments)

    async def unknown_ids(self, tenant: str) -> Sequence[UnknownId]:
        flat = await self._client.call("HGETALL", keys.unknown_ids(self.bucket(tenant), tenant))
        return newest_first(_read(codec.text(name), codec.text(value)) for name, value in pairs_of(flat))


def _read(name: str, value: str) -> UnknownId:
    field, _, id_ = name.partition(" ")
    at_ms, _, ticket = value.partition(" ")
    return UnknownId(field, id_, ticket, int(at_ms) * 1000)
