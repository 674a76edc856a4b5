"""Keeps the map from slots to servers of a cluster, merged from the servers' views. Pure: sends no command."""

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
    """One server as another sees it.

    The owner of a slot is the server that claims it with the highest `epoch`, even when it is down: until its replica
    claims the slot, no other server has it. Example: A claims slot 7 with epoch 3 and dies; B claims it with epoch 4:
    B owns it, even if an old view still names A.
    """

    address: Address
    is_master: bool
    epoch: int
    ranges: tuple[tuple[int, int], ...] = ()
    """First and last slot of each range."""


class View(msgspec.Struct, frozen=True):
    """One server's view of the cluster. Only it knows which slots it exports (`migrating`) or imports."""

    by: Address
    nodes: tuple[Node, ...]
    importing: frozenset[int] = frozenset()
    migrating: frozenset[int] = frozenset()


class Slots:
    """The slot map. An older view, from a server that was cut off or frozen, never overrides a newer one."""

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * SLOTS
        self._epochs = [-1] * SLOTS
        self._claims: frozenset[Node] = frozenset()
        self.masters: tuple[Address, ...] = ()
        """The servers that have slots, ordered by address."""
        self.torn: frozenset[int] = frozenset()
        """Slots that a server imports but the owner doesn't export: the owner failed over during the move. Some keys
        are on each server, and each would report the other's keys as missing."""
        self.layout = ""
        """Digest of the whole slot map."""

    def owner(self, slot: int) -> Address | None:
        """Returns the server that has the slot; None when unknown."""
        return self._owners[slot]

    def take(self, views: Sequence[View]) -> None:
        """Merges the views of some servers. Costs next to nothing when they equal the last ones."""
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
