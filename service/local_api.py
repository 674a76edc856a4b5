"""`from service.local_api import local_api`: the form API for code on the same host. Never asks for credentials.

The first call reads the service's settings (environment and files), and opens one connection to Redis on a new thread.
Later calls from any thread share that connection. Importing this module opens nothing.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from service.clock import SystemClock
from service.config.environment import CONFIG, variable
from service.config.settings import CONSUMERS_OWN, ServiceSettings
from service.config.shared_settings import SharedSettings
from service.store.redis.store import open_store
from service.web.form.local import LocalPanel

CLOSE_S = 2.0
"""Longest wait for the connection to close when the program ends. Short, because nothing is left to write."""


def local_api(
    command: str,
    values: Mapping[str, object] | None = None,
    admin_username: str | None = None,
    *,
    tenant: str | None = None,
) -> dict[str, Any]:
    """Returns the form API's answer to this action; an error is `{"result": "error", "message": …}`.

    `values` are the action's fields, in any letter case. With an admin's name, the departments of that admin count,
    and flagged tickets are those assigned to the admin. Without a name all departments count. `tenant` may be left
    out where the admin's name determines it, or where only one tenant exists.

    Raises SettingsError for a wrong setting, and StoreRefused when the layout of Redis doesn't match the settings.
    """
    return _shared().call(command, values or {}, admin_username, tenant)


def close() -> None:
    """Closes the connection, if one is open, and ends the calls under way. The next call opens a new one."""
    global _open
    with _opening:
        closing, _open = _open, None
    if closing is not None:
        closing.end()


_Variables = tuple[tuple[str, str | None], ...]


class _Settings(SharedSettings):
    """The settings that the panel needs, of files and an environment that both processes use too."""

    others = ServiceSettings.names() | CONSUMERS_OWN


_NAMES = (CONFIG, *map(variable, sorted(SharedSettings.names())))
"""The variables whose values every call compares. Parsing them takes half a millisecond, as long as an answer."""


class _Connection:
    """A panel over one connection to Redis, and the thread that runs its event loop."""

    def __init__(self, variables: _Variables) -> None:
        self.variables = variables
        self._settings = _Settings.read({name: value for name, value in variables if value})
        self._opened: Future[tuple[LocalPanel, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        # A daemon thread: a program that never calls close() must still be able to end.
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
        except Exception as error:  # raised in the callers, which wait for the future
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _serve(self) -> None:
        settings, ending = self._settings, asyncio.Event()
        async with open_store(settings.redis_url, settings.buckets, settings.redis_timeout_s) as store:
            panel = LocalPanel(store, SystemClock())
            self._opened.set_result((panel, asyncio.get_running_loop(), ending))
            await ending.wait()


_opening = threading.Lock()
_open: _Connection | None = None


def _shared() -> _Connection:
    """Returns the connection with the current settings.

    Reads them in every call, because a program may set its environment after importing this module.
    """
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
    """Drops the connection in a forked child: its thread is missing there, and its socket is the parent's."""
    global _open, _opening
    _open, _opening = None, threading.Lock()


atexit.register(close)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
