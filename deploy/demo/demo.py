"""The demo from start to end: has the system started, fed and ended, and says where it is. Starts no process itself."""

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
from deploy.demo.first_answer import all_counted, printed_answer
from deploy.demo.processes.children import ChildEnded, Children
from deploy.demo.processes.ports import HOST, why_not
from deploy.demo.processes.reaper import Reaper
from deploy.demo.processes.run_folder import NoFolder, run_folder
from deploy.demo.processes.servers import ServerMissing
from deploy.demo.processes.system import Late, Ports, choose_ports, settings_of, start_system, until
from deploy.demo.request import ExampleRequest, example_request
from deploy.demo.sign_in import NOBODY_YET, page_sign_in, realm_key, tokens
from deploy.demo.signals import asked_to_end, unless_asked
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
"""Older ones misread the embedded broker's list of versions: they take the length of a tagged field (KIP-482) for one
more than it is. Seen with 2.0.2 (kcat of Debian 12) and 2.1.0; 2.2.0, 2.5.0 and 2.16.0 work."""

CAUSE_S = 1.0
"""A lost connection is noticed before the end of the process behind it: longest wait for the cause to show."""


class PortTaken(Exception):
    """The service can't listen where it was told to; the message says why."""


STOPPING = (ChildEnded, KeyFileUnusable, Late, NoFolder, PortTaken, PublishStopped, ServerMissing, SettingsError)
"""What ends the demo with a message and status 1."""


def consumers_told(told: Mapping[str, str]) -> ConsumerSettings:
    """What the consumers and the publisher are told. Raises SettingsError where either process would refuse it."""
    ServiceSettings.read(told)
    return ConsumerSettings.read(told)


class Demo:
    """One run."""

    def __init__(self, asked: argparse.Namespace, folder: Path, children: Children) -> None:
        self._asked = asked
        self._folder = folder
        self._children = children
        self._began = time.monotonic()

    async def run(self) -> int:
        """Until it is cancelled; with `--check` to the end. Returns the exit status. Raises what is in `STOPPING`."""
        ports = choose_ports(self._port())
        sign_in = self._private("sign-in.json", NOBODY_YET)
        told = settings_of(ports, sign_in, os.environ)
        told_consumers = consumers_told(told)  # before anything is started with a wrong one
        await start_system(self._children, ports, told, self._say)
        key_file, now_s = self._folder / "realm.pem", int(time.time())
        key = realm_key(key_file)
        signed_in = tokens(key, now_s)
        histories = Histories(self._asked.seed, now_s * 1_000_000)
        await publish_catalogue(told_consumers, key)
        stock = 0 if self._asked.no_publisher else await publish_stock(told_consumers, histories)
        self._say(f"catalogue and {stock:,} tickets published, --seed {self._asked.seed}")
        request = example_request(ports.url, signed_in[ADMIN.role])
        await self._counted(ports, stock, request)
        self._private("sign-in.json", page_sign_in(signed_in))
        shell = self._private("environment", environment(told, ports.url, key_file, signed_in))
        kafka = f"{HOST}:{ports.broker}    for clients of librdkafka {LIBRDKAFKA} or newer (kcat -V)"
        print(welcome(ports.url, signed_in, self._headline(), _last_line(shell), kafka=kafka), flush=True)
        if self._asked.check:
            well, answer = await asyncio.to_thread(printed_answer, request)
            print(answer, flush=True)
            return 0 if well else STOPPED
        if self._asked.open:
            await asyncio.to_thread(webbrowser.open, ports.url)
        if not self._asked.no_publisher:
            await publish_live(told_consumers, histories, self._asked.rate)
        await asyncio.Event().wait()
        return 0

    def _private(self, name: str, text: str) -> Path:
        """A file with tokens in it, for its owner only."""
        path = self._folder / name
        path.touch(0o600)
        path.write_text(text)
        return path

    async def _counted(self, ports: Ports, stock: int, request: ExampleRequest) -> None:
        """Returns when both processes are ready and every ticket is in the counts."""
        for name, port in (("service", ports.http), ("consumers", ports.metrics)):
            await until(partial(is_ready, port), name)
            self._say(f"{name} ready at {HOST}:{port}")
        await until(partial(all_counted, request, stock), "the count of all tickets")
        self._say("every ticket counted")

    def _port(self) -> int | None:
        """Where the service shall listen; None for any free port."""
        port = USUAL_PORT if self._asked.port is None else self._asked.port
        problem = why_not(port)
        if not problem:
            return port or None
        if self._asked.port is not None:
            raise PortTaken(f"--port {port}: can't listen at {HOST}:{port}: {problem}")
        self._say(f"port {port} is taken ({problem}), using a free one")
        return None

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:5.1f} s  {what}", flush=True)

    def _headline(self) -> str:
        if self._asked.no_publisher:
            return "Ticket counts are served; there are no tickets yet."
        return f"Ticket counts are served, and some {self._asked.rate:g} events a second change them."


def _last_line(shell: Path) -> str:
    return f"In another terminal, `. {_short(shell)}` sets all of this. Ctrl-C ends the demo and removes what it made."


def _short(path: Path) -> Path:
    """As one would type it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


async def demo(asked: argparse.Namespace) -> int:
    """Runs it until it is asked to end; leaves no process and no file. Returns the exit status."""
    with asked_to_end() as ending, run_folder() as folder:
        reaper = Reaper(folder)
        children = Children(folder, reaper)
        try:
            return await unless_asked(ending, _watched(Demo(asked, folder, children).run(), children)) or 0
        finally:
            await children.end()
            reaper.close()


async def _watched(work: Coroutine[Any, Any, int], children: Children) -> int:
    """What `work` returns. Raises what it raises, and ChildEnded rather than what followed from that."""
    watched = asyncio.ensure_future(children.watch())
    worked = asyncio.ensure_future(work)
    try:
        await asyncio.wait((watched, worked), return_when=asyncio.FIRST_COMPLETED)
        if worked.done() and worked.exception() is not None:
            await asyncio.wait((watched,), timeout=CAUSE_S)
    finally:
        for task in (watched, worked):
            task.cancel()
        await asyncio.gather(watched, worked, return_exceptions=True)
    if not watched.cancelled():
        watched.result()
    return worked.result()


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0 after Ctrl-C or a good check, 1 when it had to stop."""
    asked = _parser().parse_args(argv[1:])
    for warning in unknown_variables(os.environ, known_variables()):
        print(warning, file=sys.stderr)
    logs.set_up("error", "console", "demo")
    # What the client meets ends in a message of ours; its own would come on top, for what is then mended too.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(demo(asked))
    except STOPPING as error:
        print(error, file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever read the output has left, and Python would complain once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Runs all of ticket-counts on this machine, with a Redis and a broker of its own and sample "
        "tickets that keep changing. Everything is on loopback and in memory, and Ctrl-C ends and removes it.",
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help=f"of the service; 0 takes any free one (default: {USUAL_PORT} if it is)"
    )
    parser.add_argument("--no-publisher", action="store_true", help="only the tenant and its filters, no tickets")
    parser.add_argument("--check", action="store_true", help="send the printed request once, print its answer, and end")
    parser.add_argument("--open", action="store_true", help="show the page in a browser")
    add_feed_arguments(parser)
    return parser
