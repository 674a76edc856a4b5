"""Compose as the documents run it, in a copy of the tree: project, ports and image are the test's own. Judges nothing.

Containers are killed by their process, as a crash would: what `docker kill` ended, the engine doesn't start again.
"""

import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound
from docker.models.containers import Container

from tests.deploy.clone import Clone
from tests.servers.containers import KAFKA_IMAGE, REDIS_IMAGE, images_here
from tests.servers.ports import free_ports

BASES = ("python:3.13-slim-bookworm", "debian:bookworm-slim")
"""What our image can be built on, the default first."""

COMMAND_S = 300.0
"""Longest for one command; from nothing to all healthy takes 25 s on a quiet machine, and minutes on a busy one."""
BUILD_S = 600.0
"""The packages come from the index; `up --build` may build once more: compose and `docker build` may share no cache."""

OUR_LAYERS = "/opt/ticket-counts"
"""In the history of every image that our Dockerfile makes, and of no other."""


def what_is_missing() -> str:
    """Why compose can't be run here, and what to install; "" where it can."""
    if shutil.which("docker") is None:
        return "needs docker with the compose plugin on PATH"
    if subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=20, check=False).returncode:
        return "needs the compose plugin of docker (Debian: apt install docker-compose-v2 or docker-compose-plugin)"
    if not images_here(KAFKA_IMAGE, REDIS_IMAGE):
        return f"needs a running Docker engine after: docker pull {KAFKA_IMAGE}; docker pull {REDIS_IMAGE}"
    if base_here() is None:
        return f"needs a Docker engine after: docker pull {BASES[0]}"
    return ""


def base_here() -> str | None:
    """What our image is built on here."""
    return next((base for base in BASES if images_here(base)), None)


class Project:
    """One compose project in a clone. Make it with `project`."""

    def __init__(self, where: Clone, base: str) -> None:
        self.name = self.image = f"ticket-counts-{uuid.uuid4().hex[:8]}"
        self.base = base
        self._folder = where.project
        self.http_port, kafka_port, metrics_port = free_ports(3)
        self.kafka = f"127.0.0.1:{kafka_port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith("TICKET_COUNTS_")}
        self._environ: Mapping[str, str] = {
            **own,
            "COMPOSE_PROJECT_NAME": self.name,
            "IMAGE": self.image,
            "PYTHON_IMAGE": base,
            "HTTP_PORT": str(self.http_port),
            "KAFKA_PORT": str(kafka_port),
            "METRICS_PORT": str(metrics_port),
            "EXPOSE_POSITIONS": "true",
        }
        self._engine = docker.from_env(timeout=30)
        self._images_before = self._unnamed_images()

    def run(self, command: str, limit_s: float = COMMAND_S) -> str:
        """What a documented command prints. Raises AssertionError with what it says on stderr when it fails."""
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        print(f"{time.monotonic() - began:.1f} s: {command}")
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def services(self) -> Mapping[str, Container]:
        """The project's containers by the name of their service, ended ones too."""
        return {
            each.labels["com.docker.compose.service"]: each for each in self._of_ours(self._engine.containers, all=True)
        }

    def kill(self, service: str) -> str:
        """SIGKILL to its first process, which ends all of it; returns what `is_back` wants to know."""
        container = self.services()[service]
        state = container.attrs["State"]
        assert state["Running"], f"{service} doesn't run"
        # From a container that sees the engine's processes: the engine may be in a machine of its own.
        self._engine.containers.run(
            REDIS_IMAGE,
            ["-c", f"kill -9 {state['Pid']}"],
            entrypoint="sh",
            user="root",
            pid_mode="host",
            tmpfs={"/data": ""},  # instead of a volume that would stay
            remove=True,
        )
        return str(state["StartedAt"])

    def is_back(self, service: str, started_before: str) -> bool:
        """Whether it was started again since, and is healthy."""
        container = self.services()[service]
        return container.attrs["State"]["StartedAt"] != started_before and _healthy(container)

    def restarts(self, service: str) -> int:
        """How often the engine itself started it again."""
        return int(self.services()[service].attrs["RestartCount"])

    def all_healthy(self) -> bool:
        """Whether every container is."""
        return all(map(_healthy, self.services().values()))

    def unnamed_volumes(self) -> list[str]:
        """Folders of the containers that `down` would leave behind with nothing that leads to them."""
        named = {volume.name for volume in self._of_ours(self._engine.volumes)}
        mounts = [(service, mount) for service, each in self.services().items() for mount in each.attrs["Mounts"]]
        return [f"{service}:{mount['Destination']}" for service, mount in mounts if mount.get("Name", "") not in named]

    def left(self) -> list[str]:
        """What there still is of it."""
        engine = self._engine
        found = [each for kind in (engine.networks, engine.volumes) for each in self._of_ours(kind)]
        return [str(each.name) for each in (*self.services().values(), *found)]

    def remove(self) -> None:
        """Everything that it made, whatever state it is in."""
        engine = self._engine
        try:
            for container in self.services().values():
                container.remove(force=True, v=True)
            for kind in (engine.networks, engine.volumes):
                for each in self._of_ours(kind):
                    each.remove()
            self._remove_images()
        finally:
            engine.close()

    def _of_ours(self, kind: Any, **which: bool) -> list[Any]:
        return list(kind.list(filters={"label": f"com.docker.compose.project={self.name}"}, **which))

    def _remove_images(self) -> None:
        with suppress(ImageNotFound):  # it came to no image
            self._engine.images.remove(self.image)
        for image_id in self._unnamed_images() - self._images_before:
            history = self._engine.images.get(image_id).history()
            if any(OUR_LAYERS in layer["CreatedBy"] for layer in history):
                self._engine.images.remove(image_id)

    def _unnamed_images(self) -> set[str]:
        # The classic builder leaves the image of each stage.
        return {str(image.id) for image in self._engine.images.list(filters={"dangling": True})}


def _healthy(container: Container) -> bool:
    state = container.attrs["State"]
    return bool(state["Running"] and state.get("Health", {}).get("Status", "healthy") == "healthy")


@contextmanager
def project(where: Clone) -> Iterator[Project]:
    """One whose containers, network, volumes and image are gone afterwards. Call it where nothing is missing."""
    base = base_here()
    assert base is not None
    made = Project(where, base)
    try:
        yield made
    finally:
        made.remove()


def commands_in_comments(path: Path) -> Sequence[str]:
    """The docker commands at the head of a file: indented comments, each up to a gap of two spaces."""
    return re.findall(r"^#   (docker .*?)(?:  .*)?$", path.read_text(), re.MULTILINE)
