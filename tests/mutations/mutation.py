"""The mutations as data, and the table of docs/reliability.md that they belong to. Applies nothing to any file."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

ROOT = Path(__file__).parent.parent.parent
ROOMS = Path(__file__).parent / "guards"
TABLE = ROOT / "docs" / "reliability.md"

_ROW = re.compile(r"^\| (?P<guard>.+?) \| (?P<where>`.+?`) \| (?P<tests>`.+) \|$", re.MULTILINE)
_PATH = re.compile(r"`([^`]+)`")
_NODE = re.compile(r"tests/[^\s`]+::\w+")

BY_HAND = " *"
"""Behind the words of a guard: no mutation here takes it out."""


class DoesNotApply(Exception):
    """The code is no longer what the mutation replaces: update its entry."""


class Mutation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One guard, how to take it out, and what fails then."""

    guard: str
    """In the words of its row in the table."""
    file: str
    """From the project's root."""
    old: str
    """Occurs exactly once in the file."""
    new: str
    """Stands there instead: the same code without the guard."""
    tests: tuple[str, ...]
    """Node ids. At least one fails."""
    core: bool = False
    """Whether it is one of the 53 guards that the table began with: of the engine, the store and rebuilds."""

    def applied(self, text: str) -> str:
        """The file's text without the guard. Raises DoesNotApply, also where that is no Python any more."""
        if (found := text.count(self.old)) != 1:
            raise DoesNotApply(f"{self.file}: what is replaced occurs {found} times")
        mutated = text.replace(self.old, self.new)
        if self.file.endswith(".py"):
            try:
                compile(mutated, self.file, "exec")
            except SyntaxError as error:
                raise DoesNotApply(f"{self.file}: no longer Python: {error}") from None
        return mutated


class _Room(msgspec.Struct, forbid_unknown_fields=True):
    """One `.toml`."""

    mutation: list[Mutation]


class Row(NamedTuple):
    """One row of the table of guards."""

    guard: str
    where: tuple[str, ...]
    """Files and folders."""
    tests: tuple[str, ...]
    by_hand: bool
    """Whether it is marked as one that no mutation here takes out."""


def mutations() -> Sequence[Mutation]:
    """All, room by room."""
    rooms = sorted(ROOMS.glob("*.toml"))
    return [each for room in rooms for each in msgspec.toml.decode(room.read_bytes(), type=_Room).mutation]


def guards() -> Sequence[Row]:
    """The rows of the table in docs/reliability.md."""
    section = TABLE.read_text("utf-8").partition("\n## Guards")[2].partition("\n## ")[0]
    return [
        Row(
            row["guard"].removesuffix(BY_HAND),
            tuple(_PATH.findall(row["where"])),
            tuple(_NODE.findall(row["tests"])),
            row["guard"].endswith(BY_HAND),
        )
        for row in _ROW.finditer(section)
    ]
