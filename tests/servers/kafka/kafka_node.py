"""The settings of one Kafka node on loopback. Starts nothing."""

import base64
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import HOST, free_ports

LOG4J = """\
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: INFO
      AppenderRef:
        - ref: STDOUT
"""


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """One node's number and ports. Broker and controller are the same process."""

    id: int
    port: int
    controller_port: int


def new_nodes(count: int) -> tuple[KafkaNode, ...]:
    """`count` nodes, numbered from 1, on free ports."""
    ports = free_ports(2 * count)
    return tuple(KafkaNode(number + 1, ports[2 * number], ports[2 * number + 1]) for number in range(count))


def new_cluster_id() -> str:
    """A random id as Kafka's storage tool makes it: a UUID in URL-safe base64, never with a leading dash."""
    while (found := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return found


def node_properties(node: KafkaNode, nodes: Sequence[KafkaNode], data: Path) -> dict[str, str]:
    """The server.properties of `node` among `nodes`, with its log segments under `data`."""
    replicas = len(nodes)
    return {
        "process.roles": "broker,controller",
        "node.id": str(node.id),
        "controller.quorum.voters": ",".join(f"{each.id}@{HOST}:{each.controller_port}" for each in nodes),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data),
        "default.replication.factor": str(replicas),
        "min.insync.replicas": str(replicas // 2 + 1),
        "offsets.topic.replication.factor": str(replicas),
        "offsets.topic.num.partitions": "4",  # 50 by default: slow to make, and tests have few groups
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(replicas // 2 + 1),
        "transaction.state.log.num.partitions": "4",
        "group.initial.rebalance.delay.ms": "0",  # nobody else is coming
        # 6 s by default: tests that kill a consumer wait for its session to end.
        "group.min.session.timeout.ms": "1000",
        # A killed broker comes back only after its old session has expired: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "auto.create.topics.enable": "false",  # a topic that nobody made is a mistake
    }
