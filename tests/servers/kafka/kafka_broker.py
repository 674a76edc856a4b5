"""Apache Kafka as processes that tests may kill and freeze: one broker, or a cluster. Never ZooKeeper, never TLS."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.kafka.kafka_node import LOG4J, KafkaNode, new_cluster_id, new_nodes, node_properties
from tests.servers.ports import HOST
from tests.servers.process import ServerFailed, ServerProcess

START_S = 120.0  # 3 s on a quiet machine; a start after a kill recovers the log first, and busy ones take their time
STOP_S = 20.0  # a clean end moves leadership and flushes
FORMAT_S = 60.0  # one start of the JVM


class KafkaBroker:
    """One node with its files in `directory`: formatted once, then started and killed at will.

    Start, stop and the like block; call them by `asyncio.to_thread` where a loop must go on.
    """

    def __init__(
        self,
        jars: Path,
        directory: Path,
        *,
        nodes: Sequence[KafkaNode] = (),
        cluster_id: str = "",
        heap: str = "512m",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """The first of `nodes` is this one; none: a broker of its own. `settings` go over the usual properties."""
        nodes = nodes or new_nodes(1)
        self.node = nodes[0]
        self.directory = directory
        self._jars = jars
        self._cluster_id = cluster_id or new_cluster_id()
        by_id = sorted(nodes, key=lambda node: node.id)
        self._settings = {**node_properties(self.node, by_id, directory / "data"), **(settings or {})}
        self._properties = directory / "server.properties"
        logging = directory / "log4j2.yaml"
        directory.mkdir(parents=True, exist_ok=True)
        logging.write_text(LOG4J)
        options = (f"-Xmx{heap}", "-XX:+UseSerialGC", f"-Dlog4j2.configurationFile={logging}")
        self._process = ServerProcess(
            f"Kafka node {self.node.id} at port {self.node.port}",
            ["java", *options, "-cp", f"{jars}/*", "kafka.Kafka", str(self._properties)],
            directory / "kafka.log",
        )

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.node.port}"

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists, frozen or not."""
        return self._process.running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it serves. Raises ServerFailed."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start it without waiting: a node of a cluster is ready only once most of the others are."""
        if not self._properties.exists():
            self._format()
        self._process.spawn()

    def wait_ready(self) -> None:
        """Return when it serves. Raises ServerFailed."""
        self._process.wait_ready(lambda: "Kafka Server started" in self._process.log_since_start(), START_S)

    def stop(self) -> None:
        """End it cleanly."""
        self._process.stop(STOP_S)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """End it cleanly and start it again with the same data and address."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing answers."""
        self._process.pause()

    def thaw(self) -> None:
        """Let it go on."""
        self._process.thaw()

    def _format(self) -> None:
        fresh = self._properties.with_suffix(".new")
        fresh.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        tool = ("java", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*", "kafka.tools.StorageTool")
        command = [*tool, "format", "-t", self._cluster_id, "-c", str(fresh)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_S, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"Kafka's storage can't be formatted:\n{done.stdout}{done.stderr}")
        fresh.rename(self._properties)


class KafkaCluster:
    """Several brokers, each holding everything; of three, two must have a write before it is acknowledged."""

    def __init__(
        self, jars: Path, directory: Path, *, size: int = 3, settings: Mapping[str, str] | None = None
    ) -> None:
        nodes = new_nodes(size)
        cluster_id = new_cluster_id()
        self.brokers = tuple(
            KafkaBroker(
                jars,
                directory / f"node-{node.id}",
                nodes=[node, *(other for other in nodes if other != node)],
                cluster_id=cluster_id,
                heap="384m",
                settings=settings,
            )
            for node in nodes
        )

    @property
    def bootstrap(self) -> str:
        """The addresses for clients, comma separated."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all and return when all serve. Raises ServerFailed."""
        for broker in self.brokers:
            broker.spawn()
        for broker in self.brokers:
            broker.wait_ready()

    def stop(self) -> None:
        """Kill all: a clean end waits for a quorum that ends itself."""
        for broker in self.brokers:
            broker.kill()
