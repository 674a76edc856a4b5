"""What the commands share: argument types, settings, logs, and the words for a failure. Knows no single command."""

import argparse
import logging
import os
from collections.abc import Sequence

from aiokafka.errors import KafkaConnectionError, KafkaError

from consumers.settings import ConsumerSettings, known_variables
from service import logs
from service.config import environment
from service.domain.tickets.ids import is_tenant_id
from service.store.ports.errors import StoreUnavailable
from service.version import ABOUT

EXIT_INTERRUPTED = 130
"""The exit status that shells report after Ctrl-C (128 + SIGINT)."""

UNREACHABLE = (StoreUnavailable, KafkaError)
"""The errors that `unreachable` describes."""


def command_line(name: str, description: str, settings: Sequence[str], whose: str = "") -> argparse.ArgumentParser:
    """Returns a parser with `--version`, whose help ends with the named settings; `whose` they are, if not all."""
    parser = argparse.ArgumentParser(
        prog=f"python -m consumers.{name}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=description,
        epilog=f"Settings{whose} (environment or file):\n\n{environment.table(ConsumerSettings, settings)}",
    )
    parser.add_argument("--version", action="version", version=ABOUT)
    take_config(parser, "")
    return parser


def take_config(parser: argparse.ArgumentParser, default: str = argparse.SUPPRESS) -> None:
    """Adds `--config`. A subcommand's parser takes no default, so that the file may be named before it or behind."""
    parser.add_argument("--config", default=default, metavar="FILE", help=environment.CONFIG_HELP)


def begin(name: str, config: str) -> ConsumerSettings:
    """Sets the logs up and returns the settings. Exits the process with status 2 when a setting is wrong.

    `config` is the argument of `--config`, "" without one.
    """
    settings = environment.read_or_exit(lambda: ConsumerSettings.read(os.environ, config), known_variables())
    logs.set_up("warning", "console", name)
    # We report every client error ourselves, so the client's own log lines would be duplicates.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return settings


def unreachable(error: Exception, settings: ConsumerSettings) -> str:
    """Returns the message for one of `UNREACHABLE`."""
    if isinstance(error, StoreUnavailable):
        return f"TICKET_COUNTS_REDIS: {error}"
    if isinstance(error, KafkaConnectionError):
        return f"no broker answers at {settings.kafka}"
    return f"Kafka at {settings.kafka}: {error}"


def tenant_id(text: str) -> str:
    """Parses an argument. Raises ValueError."""
    if not is_tenant_id(text):
        raise ValueError
    return text


tenant_id.__name__ = "tenant id"  # how argparse names it in "invalid … value"
