"""Lua scripts from this package's files, called by their hash. Knows no key and no meaning."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from redis.exceptions import NoScriptError

from service.store.client.pipelined_connection import Argument, Reply
from service.store.client.store_client import StoreClient


class Script:
    """One script. Sends itself to a server that doesn't know it (any more)."""

    def __init__(self, name: str, *, writes: bool) -> None:
        """`name`: its path below `scripts`, without the suffix."""
        self._source = files("service.store").joinpath("scripts", *f"{name}.lua".split("/")).read_bytes()
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()
        self._by_hash, self._by_source = ("EVALSHA", "EVAL") if writes else ("EVALSHA_RO", "EVAL_RO")

    async def run(self, client: StoreClient, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        """The script's reply. Raises as `Wire.call` does."""
        return (await self.run_in(client, keys, arguments))[1]

    async def run_in(
        self, client: StoreClient, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> tuple[str, Reply]:
        """The run of Redis that answered, and the script's reply."""
        try:
            return await client.call_in_run(self._by_hash, self._sha, len(keys), *keys, *arguments)
        except NoScriptError:  # after a restart, a failover, or a move; nothing was done, and it is kept from now on
            return await client.call_in_run(self._by_source, self._source, len(keys), *keys, *arguments)
