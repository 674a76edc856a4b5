"""Lua scripts from this package's files, called by their hash. Knows no key and no meaning."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files

from redis.exceptions import NoScriptError

from service.store.wire import Argument, Reply, Wire


class Script:
    """One script. Loads itself into the server when the server doesn't know it (any more)."""

    def __init__(self, name: str, *, writes: bool) -> None:
        self._source = files("service.store").joinpath("scripts", f"{name}.lua").read_bytes()
        self._sha = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()
        self._command = "EVALSHA" if writes else "EVALSHA_RO"

    async def run(self, wire: Wire, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        """The script's reply. Raises as `Wire.call` does."""
        return (await self.run_in(wire, keys, arguments))[1]

    async def run_in(self, wire: Wire, keys: Sequence[str], arguments: Sequence[Argument]) -> tuple[str, Reply]:
        """The run of Redis that answered, and the script's reply."""
        call = (self._command, self._sha, len(keys), *keys, *arguments)
        try:
            return await wire.call_in_run(*call)
        except NoScriptError:  # after a restart or a failover; nothing was done
            await wire.call("SCRIPT", "LOAD", self._source)
            return await wire.call_in_run(*call)
