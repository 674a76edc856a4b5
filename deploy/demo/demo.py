"""Runs the demo: has the system started and fed, prints its addresses, and ends it. Starts no process itself."""

import argparse
import asyncio
import logging
import os
import sys
import time
import webbrowser
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from consumers.publish import PublishStopped
from consumers.settings import ConsumerSettings
from deploy.demo.arguments import add_feed_arguments
from deploy.demo.desk.example import ADMIN
from deploy.demo.desk.histories import Histories
from deploy.demo.feed import publish_catalogue, publish_live, publish_stock
from deploy.demo.processes.children import ChildEnded, Children
from deploy.demo.processes.ports import HOST, listen_problem
from deploy.demo.processes.reaper import Reaper
from deploy.demo.processes.run_folder import NoFolder, run_folder
from deploy.demo.processes.servers import ServerMissing
from deploy.demo.processes.system import Late, Ports, choose_ports, settings_of, start_system, until
from deploy.demo.request import ExampleRequest, all_counted, example_request, printed_answer
from deploy.demo.sign_in import NOBODY_YET, page_sign_in, realm_key, tokens
from deploy.demo.signals import end_signals, until_set
from deploy.demo.welcome import environment, welcome
from deploy.ready import is_ready
from service import logs
from service.config.environment import SettingsError, unknown_variables
from service.config.settings import ServiceSettings as ServiceSettings
from service.config.settings import known_variables
from service.token import KeyFileUnusable

USUAL_PORT = 8080

STOPPED = 1

LIBRDKAFKA = "2.2"
"""The oldest librdkafka that works with the embedded broker. Older ones misread the broker's version list: they take
the length of a tagged field (KIP-482) for one more than it is. Seen with 2.0.2 (kcat of Debian 12) and 2.1.0; 2.2.0,
2.5.0 and 2.16.0 work."""

CAUSE_S = 1.0
"""Longest wait for the end of a child after another error: a lost connection shows before the end of its server."""


class PortTaken(Exception):
    """The service can't listen at the port of `--port`; the message says why."""


STOPPING = (ChildEnded, KeyFileUnusable, Late, NoFolder, PortTaken, PublishStopped, ServerMissing, SettingsError)
"""The errors that end the demo with their message and status 1."""


def consumer_settings(environ: Mapping[str, str]) -> ConsumerSettings:
    """Returns the settings of consumers and publisher. Raises SettingsError when consumers or service refuse one."""
    ServiceSettings.read(environ)
    return ConsumerSettings.read(environ)


class Demo:
    """One run of the demo."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, children: Children) -> None:
        self._arguments = arguments
        self._folder = folder
        self._children = children
        self._started_at = time.monotonic()

    async def run(self) -> int:
        """Runs until cancelled, with `--check` until the check is done. Returns the exit status. Raises STOPPING."""
        ports = choose_ports(self._port())
        sign_in = self._private("sign-in.json", NOBODY_YET)
        environ = settings_of(ports, sign_in, os.environ)
        settings = consumer_settings(environ)  # before any process is started with a wrong setting
        await start_system(self._children, ports, environ, self._say)
        key_file, now_s = self._folder / "realm.pem", int(time.time())
        key = realm_key(key_file)
        by_role = tokens(key, now_s)
        histories = Histories(self._arguments.seed, now_s * 1_000_000)
        await publish_catalogue(settings, key)
        stock = 0 if self._arguments.no_publisher else await publish_stock(settings, histories)
        self._say(f"catalogue and {stock:,} tickets published, --seed {self._arguments.seed}")
        request = example_request(ports.url, by_role[ADMIN.role])
        await self._until_counted(ports, stock, request)
        self._private("sign-in.json", page_sign_in(by_role))
        shell = self._private("environment", environment(environ, ports.url, key_file, by_role))
        kafka = f"{HOST}:{ports.broker}    for clients of librdkafka {LIBRDKAFKA} or newer (kcat -V)"
        print(welcome(ports.url, by_role, self._headline(), _last_line(shell), kafka=kafka), flush=True)
        if self._arguments.check:
            is_ok, answer = await asyncio.to_thread(printed_answer, request)
            print(answer, flush=True)
            return 0 if is_ok else STOPPED
        if self._arguments.open:
            await asyncio.to_thread(webbrowser.open, ports.url)
        if not self._arguments.no_publisher:
            await publish_live(settings, histories, self._arguments.rate)
        await asyncio.Event().wait()
        return 0

    def _private(self, name: str, text: str) -> Path:
        """Writes a file with mode 0600, because it holds tokens."""
        path = self._folder / name
        path.touch(0o600)
        path.write_text(text)
        return path

    async def _until_counted(self, ports: Ports, stock: int, request: ExampleRequest) -> None:
        """Waits until both processes are ready and every ticket is counted."""
        for name, port in (("service", ports.http), ("consumers", ports.metrics)):
            await until(partial(is_ready, port), name)
            self._say(f"{name} ready at {HOST}:{port}")
        await until(partial(all_counted, request, stock), "the count of all tickets")
        self._say("every ticket counted")

    def _port(self) -> int | None:
        """Returns the port for the service; None for any free port. Raises PortTaken."""
        port = USUAL_PORT if self._arguments.port is None else self._arguments.port
        problem = listen_problem(port)
        if not problem:
            return port or None
        if self._arguments.port is not None:
            raise PortTaken(f"--port {port}: can't listen at {HOST}:{port}: {problem}")
        self._say(f"port {port} is taken ({problem}), using a free one")
        return None

    def _say(self, message: str) -> None:
        print(f"{time.monotonic() - self._started_at:5.1f} s  {message}", flush=True)

    def _headline(self) -> str:
        if self._arguments.no_publisher:
            return "Ticket counts are served; there are no tickets yet."
        return f"Ticket counts are served, and some {self._arguments.rate:g} events a second change them."


def _last_line(shell: Path) -> str:
    return f"In another terminal, `. {_short(shell)}` sets all of this. Ctrl-C ends the demo and removes what it made."


def _short(path: Path) -> Path:
    """Returns the path relative to the current folder if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


async def demo(arguments: argparse.Namespace) -> int:
    """Runs the demo until a signal ends it. Leaves no process and no file. Returns the exit status."""
    with end_signals() as end, run_folder() as folder:
        reaper = Reaper(folder)
        children = Children(folder, reaper)
        try:
            return await until_set(end, _watched(Demo(arguments, folder, children).run(), children)) or 0
        finally:
            await children.end()
            reaper.close()


async def _watched(work: Coroutine[Any, Any, int], children: Children) -> int:
    """Returns the result of `work`. Raises its error; but ChildEnded if a child has ended, which caused that error."""
    watch = asyncio.ensure_future(children.watch())
    run = asyncio.ensure_future(work)
    try:
        await asyncio.wait((watch, run), return_when=asyncio.FIRST_COMPLETED)
        if run.done() and run.exception() is not None:
            await asyncio.wait((watch,), timeout=CAUSE_S)
    finally:
        for task in (watch, run):
            task.cancel()
        await asyncio.gather(watch, run, return_exceptions=True)
    if not watch.cancelled():
        watch.result()
    return run.result()


def main(argv: Sequence[str]) -> int:
    """Runs the command. Returns the exit status: 0 after Ctrl-C or a good check, 1 after an error."""
    arguments = _parser().parse_args(argv[1:])
    for warning in unknown_variables(os.environ, known_variables()):
        print(warning, file=sys.stderr)
    logs.set_up("error", "console", "demo")
    # We report every client error ourselves, so the client's own log lines would be duplicates.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(demo(arguments))
    except STOPPING as error:
        print(error, file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of our output is gone, and Python would fail again in its flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Runs all of ticket-counts on this machine: its own Redis and broker, both processes, and sample "
        "tickets that keep changing. Everything is on loopback and in memory, and Ctrl-C ends and removes it.",
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help=f"port of the service; 0 for any free one (default: {USUAL_PORT}, or any free one if it is taken)",
    )
    parser.add_argument(
        "--no-publisher", action="store_true", help="publish the tenant and its filters, but no tickets"
    )
    parser.add_argument("--check", action="store_true", help="send the printed request once, print its answer, and end")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    add_feed_arguments(parser)
    return parser
