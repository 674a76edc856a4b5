"""What compose and the image say agrees with the code. Starts no container."""

import importlib.util
import re

from consumers.settings import known_variables
from tests.deploy.clone import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()


def test_every_setting_exists() -> None:
    variables = set(re.findall(r"TICKET_COUNTS_\w+", COMPOSE + DOCKERFILE))
    assert variables
    assert variables <= known_variables()


def test_every_program_exists() -> None:
    modules = set(re.findall(r'"-m", "([\w.]+)"', COMPOSE + DOCKERFILE))
    assert modules == {"service", "consumers", "deploy.publisher", "deploy.ready"}
    assert all(importlib.util.find_spec(module) for module in modules)


def test_the_servers_are_the_official_images() -> None:
    assert re.findall(r"image: (\S+)", COMPOSE) == ["${IMAGE:-ticket-counts}", "apache/kafka:4.3.0", "redis:8.2"]


def test_the_image_needs_no_newer_builder_and_does_not_run_as_root() -> None:
    assert "# syntax" not in DOCKERFILE
    assert "<<" not in DOCKERFILE
    assert re.search(r"^ARG PYTHON=python:", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^USER \d{4,}", DOCKERFILE, re.MULTILINE)


def test_what_the_image_copies_is_in_its_context() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert copied
    assert {path.split("/")[0] for path in copied} <= allowed
