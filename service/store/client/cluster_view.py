"""Reads one server's view of its cluster. Keeps nothing, and never contacts a second server."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec
from redis.exceptions import RedisError, ResponseError

from service.store.client.redis_client import opened_client
from service.store.client.redis_errors import Remedy, failure_text, redis_remedy
from service.store.client.slots import Address, Node, View
from service.store.ports.errors import StoreDenied, StoreUnavailable

CLUSTER = "+cluster"
"""Stands in the scheme of a cluster's URL."""


class ClusterUrl(msgspec.Struct, frozen=True):
    """`redis+cluster://[user:password@]host:port,host:port,…`: one URL for all servers of a cluster."""

    scheme: str
    login: str
    seeds: tuple[Address, ...]

    @classmethod
    def of(cls, url: str) -> "ClusterUrl":
        """Parses a URL that the settings have validated."""
        parts = urlsplit(url)
        login, at, servers = parts.netloc.rpartition("@")
        return cls(parts.scheme.replace(CLUSTER, ""), login + at, tuple(_address(one) for one in servers.split(",")))

    @property
    def password(self) -> str:
        """The decoded password; "" for none."""
        return unquote(self.login.rpartition("@")[0].partition(":")[2])

    def server(self, address: Address) -> str:
        """Returns the URL of one server."""
        return urlunsplit((self.scheme, f"{self.login}{address}", "/0", "", ""))


class NoCluster(StoreUnavailable):
    """The server isn't part of a cluster; only an operator can change that."""


def is_cluster(url: str) -> bool:
    """Tells whether the URL names a cluster."""
    return CLUSTER in urlsplit(url).scheme


async def view_of(url: ClusterUrl, address: Address, limit_s: float) -> View:
    """Returns the view of the server at that address. Raises StoreUnavailable; NoCluster when it isn't in a cluster."""
    try:
        async with opened_client(url.server(address)) as client, asyncio.timeout(limit_s):
            nodes = await client.execute_command("CLUSTER NODES")  # type: ignore[no-untyped-call]
    except ResponseError as error:
        if "cluster support disabled" in str(error):
            raise NoCluster(f"Redis at {address} is in no cluster") from None
        raise _failure(url, address, error) from error
    except TimeoutError as error:
        raise StoreUnavailable(f"Redis at {address}: no answer within {limit_s:g} s") from error
    except (RedisError, OSError) as error:
        raise _failure(url, address, error) from error
    return view_in(nodes, address, by_name=url.scheme == "rediss")


def _failure(url: ClusterUrl, address: Address, error: Exception) -> StoreUnavailable:
    kind = StoreDenied if redis_remedy(error) is Remedy.STOP else StoreUnavailable
    return kind(failure_text(address, error, url.password))


def view_in(nodes: Mapping[str, Mapping[str, Any]], server: Address, *, by_name: bool) -> View:
    """Parses CLUSTER NODES as redis-py returns it. `by_name`: use announced host names, which TLS certificates need."""
    found, by, moves = [], server, []
    for place, node in nodes.items():
        flags = node["flags"].split(",")
        here = _address(place)
        name = node["hostname"] if by_name and node["hostname"] else here.host
        address = Address(name or server.host, here.port)  # a server without peers doesn't know its own host
        if "myself" in flags:
            by, moves = address, node["migrations"]
        if not {"noaddr", "handshake"} & {*flags}:
            ranges = tuple((int(span[0]), int(span[-1])) for span in node["slots"])
            is_master = "master" in flags and "fail" not in flags
            found.append(Node(address, is_master, int(node["epoch"]), ranges))
    return View(by, tuple(found), frozenset(_slots(moves, "importing")), frozenset(_slots(moves, "migrating")))


def _slots(moves: list[Mapping[str, str]], state: str) -> Iterator[int]:
    return (int(move["slot"]) for move in moves if move["state"] == state)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]"), int(port))
