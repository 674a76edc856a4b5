"""`python -m deploy.publisher`: sample tickets for a system that runs already, such as compose's. Starts nothing."""

import argparse
import asyncio
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from consumers.publish import PublishStopped
from consumers.settings import ConsumerSettings
from deploy.demo.arguments import add_feed_arguments
from deploy.demo.desk.histories import Histories
from deploy.demo.feed import publish_catalogue, publish_live, publish_stock
from deploy.demo.sign_in import realm_key, tokens
from deploy.demo.signals import asked_to_end, unless_asked
from deploy.demo.welcome import welcome
from service import logs
from service.config import environment
from service.config.environment import SettingsError
from service.token import KeyFileUnusable

STOPPED = 1


async def publish(asked: argparse.Namespace, settings: ConsumerSettings) -> None:
    """Until it is asked to end. Raises KeyFileUnusable, PublishStopped."""
    with asked_to_end() as ending:
        await unless_asked(ending, feed(settings, asked))


async def feed(settings: ConsumerSettings, asked: argparse.Namespace) -> None:
    """Publishes for ever. Raises KeyFileUnusable, PublishStopped."""
    key = realm_key(asked.key)
    now_s = int(time.time())
    histories = Histories(asked.seed, now_s * 1_000_000)
    await publish_catalogue(settings, key)
    stock = await publish_stock(settings, histories)
    print(welcome(asked.url, tokens(key, now_s), f"{stock:,} tickets published, --seed {asked.seed}."), flush=True)
    if asked.ready:
        asked.ready.touch()
    await publish_live(settings, histories, asked.rate)


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0 when it was asked to end, 1 when it had to, 2 for wrong use."""
    asked = _parser().parse_args(argv[1:])
    try:
        settings = ConsumerSettings.read(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return environment.EXIT_WRONG_USE
    logs.set_up("error", "console", "publisher")
    # What the client meets ends in a message of ours; its own would come on top, for what is then mended too.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(publish(asked, settings))
    except (KeyFileUnusable, PublishStopped) as error:
        print(error, file=sys.stderr)
        return STOPPED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.publisher",
        description="Publishes a tenant with sample tickets and then keeps inventing what happens to them. Brokers and "
        "topics are settings in the environment, as for python -m consumers.",
    )
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the realm's key, made if absent")
    parser.add_argument(
        "--ready", type=Path, metavar="FILE", help="made once the first tickets are published, for a health check"
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="of the service, to print (default: %(default)s)"
    )
    add_feed_arguments(parser)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
