"""The way to the store that a URL names: to one server, or to a cluster. Opens nothing by itself."""

from service.store.client.cluster_client import ClusterWire
from service.store.client.cluster_view import is_cluster
from service.store.client.pipelined_connection import Wire

AnyWire = Wire | ClusterWire


def opened_wire(url: str, timeout_s: float) -> AnyWire:
    """A wire to be entered."""
    return ClusterWire(url, timeout_s) if is_cluster(url) else Wire(url, timeout_s)
