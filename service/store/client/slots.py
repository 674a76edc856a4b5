"""Which server of a cluster has which slot, put together from what its servers say. Pure: asks nobody."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

SLOTS = 16_384
"""Fixed by Redis Cluster."""


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Node(msgspec.Struct, frozen=True):
    """One server as another sees it. The owner of a slot is who claims it in the highest `epoch`, be it gone: until its
    replica claims the slot, nobody else has it."""

    address: Address
    is_master: bool
    epoch: int
    ranges: tuple[tuple[int, int], ...] = ()
    """First and last slot of each."""


class View(msgspec.Struct, frozen=True):
    """What one server says of all. Only it knows which slots it is sending away or taking in."""

    by: Address
    nodes: tuple[Node, ...]
    importing: frozenset[int] = frozenset()
    migrating: frozenset[int] = frozenset()


class Slots:
    """Takes views in; never lets an older one, of a server that was cut off or frozen, undo a newer one."""

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * SLOTS
        self._epochs = [-1] * SLOTS
        self._claims: frozenset[Node] = frozenset()
        self.masters: tuple[Address, ...] = ()
        """The servers that have slots, in order of their addresses."""
        self.torn: frozenset[int] = frozenset()
        """Slots that somebody is taking in whose owner doesn't say that it is sending them: it failed over on the way,
        so some of the keys are here and some are there, and a server takes what it hasn't for what isn't there."""
        self.layout = ""
        """Names who has what."""

    def owner(self, slot: int) -> Address | None:
        """The server that has the slot; None where nobody is known to."""
        return self._owners[slot]

    def take(self, views: Sequence[View]) -> None:
        """Brings in what some servers say. Costs next to nothing where they say what was said the last time."""
        claims = frozenset(node for view in views for node in view.nodes if node.ranges)
        if claims and claims != self._claims:
            self._claims = claims
            for node in claims:
                for first, last in node.ranges:
                    self._claim(node, range(first, last + 1))
            spans = [(owner, sum(1 for _ in slots)) for owner, slots in groupby(self._owners)]
            self.masters = tuple(sorted({owner for owner, _ in spans if owner is not None}))
            self.layout = hashlib.blake2b(repr(spans).encode(), digest_size=8).hexdigest()
        self.torn = frozenset(self._torn(views))

    def _claim(self, node: Node, slots: Iterable[int]) -> None:
        for slot in slots:
            if node.epoch >= self._epochs[slot]:
                self._owners[slot], self._epochs[slot] = node.address, node.epoch

    def _torn(self, views: Sequence[View]) -> Iterable[int]:
        migrating: Mapping[Address | None, frozenset[int]] = {view.by: view.migrating for view in views}
        for view in views:
            for slot in view.importing:
                owner = self._owners[slot]
                if slot not in migrating.get(owner, ()):
                    yield slot
