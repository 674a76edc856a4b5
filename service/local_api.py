"""`from service.local_api import local_api`: the form API for code on the same host. Never asks for credentials.

The first call reads the same settings from the environment as the service does, and opens one connection to Redis on
a thread of its own; later calls, from whatever thread, share it. Importing this opens nothing.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from service.clock import SystemClock
from service.config.environment import variable
from service.config.settings import SharedSettings
from service.store.redis.store import open_store
from service.web.form.local import LocalPanel

CLOSE_S = 2.0
"""Longest wait for the connection's end when the program ends: it has nothing to write any more."""


def local_api(
    command: str,
    values: Mapping[str, object] | None = None,
    admin_username: str | None = None,
    *,
    tenant: str | None = None,
) -> dict[str, Any]:
    """What the form API answers to this action, `{"result": "error", "message": …}` where something is wrong.

    `values` are its fields, with any letter case in their names. With an admin's name their departments count and
    their tickets are the flagged ones; without one all departments count. The tenant may be left out where the admin,
    or there being only one, says it.

    Raises SettingsError for a wrong setting and StoreRefused for a Redis that is laid out otherwise.
    """
    return _shared().call(command, values or {}, admin_username, tenant)


def close() -> None:
    """Ends the connection, if there is one, and calls under way with it; the next call opens another."""
    global _open
    with _opening:
        closing, _open = _open, None
    if closing is not None:
        closing.end()


_Variables = tuple[tuple[str, str | None], ...]

_NAMES = tuple(variable(name) for name in SharedSettings.model_fields)
"""Looked at in every call: reading them as settings takes half a millisecond, as long as the answer itself."""


class _Connection:
    """A panel over one connection, and the thread that its event loop runs on."""

    def __init__(self, variables: _Variables) -> None:
        self.variables = variables
        self._settings = SharedSettings.read({name: value for name, value in variables if value})
        self._opened: Future[tuple[LocalPanel, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # A daemon: a program that forgets about us must be able to end.
        self._thread = threading.Thread(target=self._run, name="ticket counts", daemon=True)
        self._thread.start()

    def call(
        self, command: str, values: Mapping[str, object], admin_username: str | None, tenant: str | None
    ) -> dict[str, Any]:
        panel, loop, _ = self._opened.result()
        return asyncio.run_coroutine_threadsafe(panel.answer(command, values, admin_username, tenant), loop).result()

    def end(self) -> None:
        if self._opened.exception() is None:
            _, loop, ending = self._opened.result()
            loop.call_soon_threadsafe(ending.set)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # told to whoever calls
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _serve(self) -> None:
        settings, ending = self._settings, asyncio.Event()
        async with open_store(settings.redis, settings.buckets, settings.redis_timeout_s) as store:
            panel = LocalPanel(store, SystemClock())
            self._opened.set_result((panel, asyncio.get_running_loop(), ending))
            await ending.wait()


_opening = threading.Lock()
_open: _Connection | None = None


def _shared() -> _Connection:
    """The connection by today's settings: a program may set its environment after it has imported this."""
    global _open
    variables = tuple((name, os.environ.get(name)) for name in _NAMES)
    with _opening:
        if _open is not None and _open.variables == variables:
            return _open
        replaced, _open = _open, _Connection(variables)
        connection = _open
    if replaced is not None:
        replaced.end()
    return connection


def _forget() -> None:
    """In a forked child there is no thread, and the socket is the parent's."""
    global _open, _opening
    _open, _opening = None, threading.Lock()


atexit.register(close)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
