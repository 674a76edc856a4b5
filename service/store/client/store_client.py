"""The way to the store that a URL names: to one server, or to a cluster. Opens nothing by itself."""

from service.store.client.cluster_client import ClusterClient
from service.store.client.cluster_view import is_cluster
from service.store.client.pipelined_connection import PipelinedConnection

StoreClient = PipelinedConnection | ClusterClient


def opened_client(url: str, timeout_s: float) -> StoreClient:
    """A wire to be entered."""
    return ClusterClient(url, timeout_s) if is_cluster(url) else PipelinedConnection(url, timeout_s)
