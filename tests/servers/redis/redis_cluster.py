"""A Redis Cluster as processes that tests may kill, freeze and reshard: masters, and a replica of each."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from tests.servers.ports import HOST, free_ports
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until_blocking

NODE_TIMEOUT_MS = 2000
"""A master that is silent for so long has failed; its replica stands in within another second."""

READY_S = 30.0  # two seconds on a quiet machine
FAILOVER_S = 40.0  # four seconds
KEYS_AT_ONCE = 2
MIGRATE_MS = 5000
SLOTS = 16_384


class RedisCluster:
    """As many masters as replicas, laid out evenly, each persistent. The replica of node `i` is node `i + size`.

    Every call blocks; call them by `asyncio.to_thread` where a loop must go on.
    """

    def __init__(self, binary: Path, directory: Path, *, size: int = 3) -> None:
        ports = free_ports(4 * size)
        self.nodes = tuple(
            RedisServer(binary, directory / f"node-{number}", port=ports[2 * number], extra_args=_options(bus))
            for number, bus in enumerate(ports[1::2])
        )
        self._buses = ports[1::2]
        self._size = size

    @property
    def url(self) -> str:
        """The address of the whole; it names two of the nodes."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port},{HOST}:{self.nodes[-1].port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def masters(self) -> list[RedisServer]:
        """The running nodes that say they are masters with slots."""
        return [node for node in self.nodes if node.running and _myself(node)["slots"] and "master" in _flags(node)]

    def owner(self, slot: int) -> RedisServer:
        """The master that has the slot."""
        return next(node for node in self.masters() if slot in _slots(node))

    def replica_of(self, master: RedisServer) -> RedisServer:
        """A running replica of that master."""
        id_ = _myself(master)["node_id"]
        return next(node for node in self.nodes if node.running and _myself(node)["master_id"] == id_)

    def failed_over(self, killed: RedisServer) -> None:
        """Returns once every slot has a running owner again, after that master was killed."""
        wait_until_blocking(self._covered, FAILOVER_S, f"a replica to stand in for {killed.port}")

    def rejoined(self) -> None:
        """Returns once every master has a replica that follows it: the next may fail."""
        wait_until_blocking(self._replicated, FAILOVER_S, "each master to have a replica in step")

    def open_move(self, slot: int, target: RedisServer) -> None:
        """Begins to move a slot: from now on it is on its way."""
        source = self.owner(slot)
        asked(target, "CLUSTER SETSLOT", slot, "IMPORTING", self.id_of(source))
        asked(source, "CLUSTER SETSLOT", slot, "MIGRATING", self.id_of(target))

    def move_keys(self, slot: int, target: RedisServer, *, most: int = 1_000_000, over_s: float = 0.0) -> int:
        """Moves keys of an open slot, a few at a time, until there are none left or `most` have moved; how many.

        All of them take `over_s` seconds or longer.
        """
        moved = 0
        source = self.owner(slot)
        pause_s = over_s * KEYS_AT_ONCE / max(int(asked(source, "CLUSTER COUNTKEYSINSLOT", slot)), 1)
        while moved < most and (keys := asked(source, "CLUSTER GETKEYSINSLOT", slot, KEYS_AT_ONCE)):
            asked(source, "MIGRATE", HOST, target.port, "", 0, MIGRATE_MS, "KEYS", *keys)
            moved += len(keys)
            time.sleep(pause_s)
        return moved

    def close_move(self, slot: int, target: RedisServer) -> None:
        """Ends the move of a slot whose keys have all moved."""
        source = self.owner(slot)
        others = [node for node in self.masters() if node not in (source, target)]
        for node in (target, source, *others):  # in this order nobody ever knows of no owner
            asked(node, "CLUSTER SETSLOT", slot, "NODE", self.id_of(target))

    def move(self, slot: int, target: RedisServer, *, over_s: float = 0.0) -> int:
        """Moves a slot with its keys; how many. See `move_keys`."""
        self.open_move(slot, target)
        moved = self.move_keys(slot, target, over_s=over_s)
        self.close_move(slot, target)
        return moved

    def id_of(self, node: RedisServer) -> str:
        """The name of a node within the cluster."""
        return str(_myself(node)["node_id"])

    def flush(self) -> None:
        """Empties all of it, and has it forget scripts."""
        for node in self.nodes:
            with contextlib.suppress(redis.exceptions.ReadOnlyError), node.client() as client:  # a replica follows
                client.flushall()
                client.script_flush()

    def _start(self) -> None:
        for node in self.nodes:
            node.start()
        step = SLOTS // self._size
        for number, node in enumerate(self.nodes):
            asked(node, "CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < self._size:
                last = SLOTS - 1 if number == self._size - 1 else (number + 1) * step - 1
                asked(node, "CLUSTER ADDSLOTSRANGE", number * step, last)
        for node in self.nodes:
            for other, bus in zip(self.nodes, self._buses, strict=True):
                if other is not node:
                    asked(node, "CLUSTER MEET", HOST, other.port, bus)
        wait_until_blocking(self._acquainted, READY_S, "the nodes of a cluster to know each other")
        for master, replica in zip(self.nodes[: self._size], self.nodes[self._size :], strict=True):
            asked(replica, "CLUSTER REPLICATE", self.id_of(master))
        wait_until_blocking(lambda: self._covered() and self._replicated(), READY_S, "the cluster to be well")

    def _stop(self) -> None:
        for node in self.nodes:
            node.kill()  # a clean end takes its time, and nobody needs the files

    def _acquainted(self) -> bool:
        return all(
            len(_nodes(node)) == len(self.nodes)
            and not any("handshake" in one["flags"] for one in _nodes(node).values())
            for node in self.nodes
        )

    def _covered(self) -> bool:
        """Whether all slots are served, and all nodes that run are content."""
        running = [node for node in self.nodes if node.running]
        served = {slot for master in self.masters() for slot in _slots(master)}
        return len(served) == SLOTS and all(asked(node, "CLUSTER INFO")["cluster_state"] == "ok" for node in running)

    def _replicated(self) -> bool:
        followers = []
        for node in self.nodes:
            if node.running and "slave" in _flags(node):
                with node.client() as client:
                    replication = client.info("replication")
                if replication["master_link_status"] != "up":
                    return False
                followers.append(_myself(node)["master_id"])
        return {self.id_of(master) for master in self.masters()} <= {*followers}


def asked(node: RedisServer, *command: object) -> Any:
    """What one node says to a command."""
    with node.client() as client:
        return client.execute_command(*command)  # type: ignore[no-untyped-call]


def _options(bus: int) -> Sequence[str]:
    return (
        *("--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
        *("--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no"),
        *("--repl-diskless-sync-delay", "0"),
    )


def _nodes(node: RedisServer) -> dict[str, Any]:
    return dict(asked(node, "CLUSTER NODES"))


def _myself(node: RedisServer) -> Any:
    return next(one for one in _nodes(node).values() if "myself" in one["flags"])


def _flags(node: RedisServer) -> list[str]:
    return str(_myself(node)["flags"]).split(",")


def _slots(node: RedisServer) -> set[int]:
    return {slot for span in _myself(node)["slots"] for slot in range(int(span[0]), int(span[-1]) + 1)}
