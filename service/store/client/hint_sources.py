"""Which server to listen to next for hints. Listens to none."""

import random

from service.store.client.cluster_view import ClusterUrl, is_cluster, view_of
from service.store.client.slots import Address

LIMIT_S = 1.0
"""Longest wait for a server that may be gone, before the next one is tried."""


class HintSources:
    """Each server in its turn: the one of the URL, or those of a cluster, the ones that joined it later too."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cluster = ClusterUrl.of(url) if is_cluster(url) else None
        self._known = frozenset(self._cluster.seeds if self._cluster else ())
        self._waiting: list[Address] = []

    async def next(self) -> str:
        """The URL of a server; in a cluster of one that answered just now. Raises StoreUnavailable."""
        if self._cluster is None:
            return self._url
        if not self._waiting:
            self._waiting = [*self._known | {*self._cluster.seeds}]
            random.shuffle(self._waiting)  # so that not all processes listen to the same one
        address = self._waiting.pop()
        view = await view_of(self._cluster, address, LIMIT_S)
        self._known = frozenset(node.address for node in view.nodes)
        return self._cluster.server(address)
