"""Arguments that the demo and its publisher share. Only reads them."""

import argparse
import random

from service.version import ABOUT

RATE = 4.0
"""Events a second: so that something changes whenever one looks, and a person can still follow."""


def add_feed_arguments(parser: argparse.ArgumentParser) -> None:
    """`--seed`, `--rate` and `--version`."""
    parser.add_argument("--version", action="version", version=ABOUT)
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10_000),
        metavar="N",
        help="invent the same histories again (default: a new one each time)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE,
        metavar="N",
        help="live events a second while the invented desk is busy, half of it at night (default: %(default)g)",
    )


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= 1_000:
        raise ValueError
    return rate


_rate.__name__ = "number of events a second up to 1,000"  # how argparse names it in "invalid … value"
