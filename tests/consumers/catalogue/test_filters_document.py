"""`docs/filters.md` keeps its word: every example compiles, every operator has one, its commands run."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.catalogue.foreign.name_map import read_name_map
from consumers.publishing.ndjson import record
from service.domain.catalogue.entries import parse_record
from service.domain.conditions.operators import EVERY_OPERATOR, WORDS
from service.domain.conditions.where import parse_where

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "filters.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def leaves(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "op" in node:
            yield node
        for child in node.values():
            yield from leaves(child)
    elif isinstance(node, list):
        for child in node:
            yield from leaves(child)


EXAMPLES = [json.loads(block) for block in blocks("json")]


@pytest.mark.parametrize("block", blocks("json"))
def test_every_example_compiles(block: str) -> None:
    example = json.loads(block)
    if "kind" in example:
        published = record(block.strip().encode())
        parse_record(published.key, published.value)
    elif "statuses" in example:
        read_name_map("the example", block.encode())
    else:
        parse_where(example)


def test_every_operator_and_each_word_about_the_viewer_has_an_example() -> None:
    shown = {leaf["op"] for example in EXAMPLES for leaf in leaves(example)}
    assert shown == EVERY_OPERATOR
    assert '"@me"' in DOCUMENT
    assert '"@my_teams"' in DOCUMENT
    assert " ".join(WORDS) in DOCUMENT


@pytest.mark.parametrize("script", blocks("sh"))
def test_its_commands_run(script: str) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr.count("left out")) in ((0, 0), (0, 1)), done.stderr
