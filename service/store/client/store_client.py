"""Chooses the client for a URL: one server or a cluster. Opens no connection."""

from service.store.client.cluster_client import ClusterClient
from service.store.client.cluster_view import is_cluster
from service.store.client.pipelined_connection import PipelinedConnection

StoreClient = PipelinedConnection | ClusterClient


def opened_client(url: str, timeout_s: float) -> StoreClient:
    """Returns the client for this URL, an async context manager."""
    return ClusterClient(url, timeout_s) if is_cluster(url) else PipelinedConnection(url, timeout_s)
