"""`python -m deploy.publisher`: publishes sample tickets to a running system, such as compose's. Starts no process."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from consumers.command import take_config
from consumers.publish import PublishStopped
from consumers.settings import ConsumerSettings
from deploy.demo.arguments import add_feed_arguments
from deploy.demo.desk.histories import Histories
from deploy.demo.feed import publish_catalogue, publish_live, publish_stock
from deploy.demo.sign_in import realm_key, tokens
from deploy.demo.signals import end_signals, until_set
from deploy.demo.welcome import welcome
from service import logs
from service.config import environment
from service.config.environment import SettingsError
from service.token import KeyFileUnusable

STOPPED = 1


async def publish(arguments: argparse.Namespace, settings: ConsumerSettings) -> None:
    """Publishes until a signal ends it. Raises KeyFileUnusable, PublishStopped."""
    with end_signals() as end:
        await until_set(end, feed(settings, arguments))


async def feed(settings: ConsumerSettings, arguments: argparse.Namespace) -> None:
    """Publishes for ever. Raises KeyFileUnusable, PublishStopped."""
    key = realm_key(arguments.key)
    now_s = int(time.time())
    histories = Histories(arguments.seed, now_s * 1_000_000)
    await publish_catalogue(settings, key)
    stock = await publish_stock(settings, histories)
    print(
        welcome(arguments.url, tokens(key, now_s), f"{stock:,} tickets published, --seed {arguments.seed}."), flush=True
    )
    if arguments.ready:
        arguments.ready.touch()
    await publish_live(settings, histories, arguments.rate)


def main(argv: Sequence[str]) -> int:
    """Runs the command. Returns the exit status: 0 after a signal, 1 after an error, 2 for wrong use."""
    arguments = _parser().parse_args(argv[1:])
    try:
        settings = ConsumerSettings.read(os.environ, arguments.config)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return environment.EXIT_WRONG_USE
    logs.set_up("error", "console", "publisher")
    # We report every client error ourselves, so the client's own log lines would be duplicates.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(publish(arguments, settings))
    except (KeyFileUnusable, PublishStopped) as error:
        print(error, file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.publisher",
        description="Publishes a tenant with sample tickets, and then keeps changing them. The environment sets "
        "brokers and topics, as for python -m consumers.",
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the realm's key, made if absent")
    parser.add_argument(
        "--ready", type=Path, metavar="FILE", help="make this file when the first tickets are published (health check)"
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="address of the service to print (default: %(default)s)"
    )
    add_feed_arguments(parser)
    take_config(parser, "")
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
