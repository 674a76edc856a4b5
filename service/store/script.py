"""Loads Lua scripts from this package and calls them by their hash. Knows no key and no script's meaning."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from redis.exceptions import NoScriptError

from service.store.client.pipelined_connection import Argument, Reply
from service.store.client.store_client import StoreClient


class Script:
    """One script. A call sends the source when the server doesn't know the hash (any more)."""

    def __init__(self, name: str, *, writes: bool) -> None:
        """Loads the script. `name`: its path below `scripts`, without the suffix."""
        self._source = files("service.store").joinpath("scripts", *f"{name}.lua".split("/")).read_bytes()
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()
        self._by_hash, self._by_source = ("EVALSHA", "EVAL") if writes else ("EVALSHA_RO", "EVAL_RO")

    async def run(self, client: StoreClient, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        """Returns the script's reply. Raises what `PipelinedConnection.call` raises."""
        return (await self.run_in(client, keys, arguments))[1]

    async def run_in(
        self, client: StoreClient, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> tuple[str, Reply]:
        """Returns the run of Redis that answered, and the script's reply."""
        try:
            return await client.call_in_run(self._by_hash, self._sha, len(keys), *keys, *arguments)
        except NoScriptError:  # after a restart, failover or slot move; nothing was done, and EVAL caches it
            return await client.call_in_run(self._by_source, self._source, len(keys), *keys, *arguments)
