"""The command line options that the demo and its publisher share. Only parses them."""

import argparse
import random

from service.version import ABOUT

RATE = 4.0
"""Events a second: often enough to see a change at any time, and slow enough for a person to follow."""


def add_feed_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `--seed`, `--rate` and `--version`."""
    parser.add_argument("--version", action="version", version=ABOUT)
    parser.add_argument(
        "--seed",
        type=int,
        default=random.SystemRandom().randrange(10_000),
        metavar="N",
        help="repeat the sample tickets of an earlier run (default: a random seed)",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE,
        metavar="N",
        help="live events a second in office hours, half of it outside them (default: %(default)g)",
    )


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= 1_000:
        raise ValueError
    return rate


_rate.__name__ = "number of events a second up to 1,000"  # argparse prints the name in "invalid … value"
