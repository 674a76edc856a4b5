"""Side doors of a Kafka broker: more listeners, whose clients are told to come by other ports. Starts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.servers.kafka.kafka_node import KafkaNode
from tests.servers.ports import HOST


@dataclass(frozen=True, slots=True)
class Door:
    """Where the broker listens, and where it tells clients of this door to come: at a link, say, that leads here."""

    name: str
    port: int
    told: int


def doors_of(node: KafkaNode, doors: tuple[Door, ...]) -> Mapping[str, str]:
    """The settings that give this node those doors beside its usual one."""
    usual = f"PLAINTEXT://{HOST}:{node.port}"
    protocols = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *(f"{door.name}:PLAINTEXT" for door in doors)]
    listeners = [usual, f"CONTROLLER://{HOST}:{node.controller_port}"]
    return {
        "listeners": ",".join([*listeners, *(f"{door.name}://{HOST}:{door.port}" for door in doors)]),
        "advertised.listeners": ",".join([usual, *(f"{door.name}://{HOST}:{door.told}" for door in doors)]),
        "listener.security.protocol.map": ",".join(protocols),
        "inter.broker.listener.name": "PLAINTEXT",
    }
