"""Grants in Redis, each call one script over its owner's two keys. Never sees a secret."""

from service.store import codec, keys
from service.store.grants import GRANT_BYTES, Grant, Lives, digest_of
from service.store.redis_budgets import RedisBudgets
from service.store.script import Script
from service.store.wire import Argument

PUT_GRANT = Script("put_grant", writes=True)
USE_GRANT = Script("use_grant", writes=True)


class RedisGrants(RedisBudgets):
    """See `grants.GrantStore` for what each method promises."""

    async def put_grant(self, owner: str, name: str, grant: Grant, lives: Lives, most: int) -> None:
        digest = digest_of(grant.content)
        arguments: list[Argument] = [name, *lives, grant.until, digest, grant.content, most, most * GRANT_BYTES]
        await PUT_GRANT.run(self._wire, keys.grants(owner), arguments)

    async def grant(self, owner: str, name: str) -> Grant | None:
        return await self._used(owner, name, "")

    async def exchange_grant(self, owner: str, name: str, new_name: str) -> Grant | None:
        return await self._used(owner, name, new_name)

    async def _used(self, owner: str, name: str, new_name: str) -> Grant | None:
        found = await USE_GRANT.run(self._wire, keys.grants(owner), [name, new_name])
        return None if found is None else Grant(found[0], codec.text(found[1]))
