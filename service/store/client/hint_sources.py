"""Chooses the server to subscribe to for hints. Never subscribes itself."""

import random

from service.store.client.cluster_view import ClusterUrl, is_cluster, view_of
from service.store.client.slots import Address

LIMIT_S = 1.0
"""Longest wait for one server before the next one is tried."""


class HintSources:
    """Returns servers in turn: the URL's only one, or those of a cluster, including servers that join later."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cluster = ClusterUrl.of(url) if is_cluster(url) else None
        self._known = frozenset(self._cluster.seeds if self._cluster else ())
        self._waiting: list[Address] = []

    async def next(self) -> str:
        """Returns a server's URL; in a cluster, that of a server that has just answered. Raises StoreUnavailable."""
        if self._cluster is None:
            return self._url
        if not self._waiting:
            self._waiting = [*self._known | {*self._cluster.seeds}]
            random.shuffle(self._waiting)  # spreads processes over servers
        address = self._waiting.pop()
        view = await view_of(self._cluster, address, LIMIT_S)
        self._known = frozenset(node.address for node in view.nodes)
        return self._cluster.server(address)
