"""Whatever the documents name is there: metrics, settings, commands with their options, codes, headers, log lines."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from consumers.metrics import ConsumerMetrics as ConsumerMetrics
from deploy.command_line import PROGRAMS
from service.config.settings import known_variables
from service.web.ops.metrics import HttpMetrics as ServiceMetrics
from service.web.push.tally import StreamTally
from tests.deploy.clone import ROOT
from tests.deploy.documents import FENCE, blocks_of
from tests.deploy.test_alerts import samples
from tests.deploy.test_documents import DOCUMENTS as ALL
from tests.deploy.test_documents import HISTORY, names
from tests.support.starting import start_here

DOCUMENTS = [document for document in ALL if document.name not in HISTORY]

SPAN = re.compile(r"`([^`]+)`")

OPERATORS = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("operations", "runbook", "reliability"))]
"""What is read while something is wrong: every quotation in these is what the program says, letter by letter."""

OF_OTHERS = re.compile(
    r"make |<|python -m |ticket-counts |docker |redis-cli |promtool |py-spy |curl |"
    r"[A-Z]{3,} [A-Za-z]|"
    r"(maxmemory|cluster|min-replicas|client-output|append|save)[\w-]* |[\w/-]+\.(yml|md|sh|conf)|"
    r"[\w-]+(: |=)|[\"{]|--|ticket_counts_\w+ > "
)
"""Beginnings of what isn't ours to say: commands of others with what is typed behind them, such as those of Redis in
capitals, settings of servers, JSON, headers with their values."""


def prose(document: Path) -> str:
    """Without its fenced blocks."""
    return FENCE.sub("", document.read_text())


def spans(document: Path) -> list[str]:
    return [" ".join(span.split()) for span in SPAN.findall(prose(document))]


def written(document: Path) -> str:
    return document.read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
async def test_metrics(document: Path) -> None:
    registries = (ConsumerMetrics().registry, ServiceMetrics(StreamTally()).registry)
    there_are = {name for registry in registries for name in samples(registry)}
    there_are |= {family.name for registry in registries for family in registry.collect()}
    # The metrics of a rebuild exist only while one runs, and none runs here.
    there_are |= set(re.findall(r'"(ticket_counts_\w+)"', (ROOT / "consumers/rebuild/metrics.py").read_text()))
    named = set(re.findall(r"\bticket_counts_\w+", written(document)))
    assert named - there_are == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_settings(document: Path) -> None:
    tests_own = set(re.findall(r"TICKET_COUNTS_TEST_\w+", "\n".join(python_of("tests"))))
    there_are = known_variables() | tests_own
    text = written(document)
    assert set(re.findall(r"\bTICKET_COUNTS_\w*[A-Z]\b", text)) - there_are == set()
    endings = re.findall(r"`…(_[A-Z_]+)`", text)  # "`TICKET_COUNTS_A_FIRST` (and `…_SECOND`)"
    assert [ending for ending in endings if not any(name.endswith(ending) for name in there_are)] == []


def commands(document: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each `python -m` of ours, or `ticket-counts`, with what stands behind it."""
    text = re.sub(r"\\\n", " ", written(document))
    for command, rest in re.findall(r"[`\n]ticket-counts ([\w-]+)([^`\n|;)]*)", text):
        yield PROGRAMS[command][0], tuple(rest.split())
    for module, rest in re.findall(r"python -m ((?:consumers|service|deploy)[\w.]*)([^`\n|;)]*)", text):
        yield module, tuple(rest.split())


@cache
def help_of(module: str, *words: str) -> str:
    done = start_here(module, *words, "--help")
    assert done.returncode == 0, done.stderr
    return done.stdout


def has_option(module: str, words: tuple[str, ...], option: str) -> bool:
    """Whether the command takes it, at the place where it stands."""
    usage = help_of(module).partition("\n\n")[0]
    sub = [word for word in words[:1] if re.search(rf"[{{|,]{word}\b|\b{word}[}}|,]", usage)]
    return re.search(rf"(?<![\w-]){option}(?![\w-])", help_of(module, *sub)) is not None


def test_commands_take_the_options_they_are_shown_with() -> None:
    wrong = [
        f"{document.name}: python -m {module} … {option}"
        for document in DOCUMENTS
        for module, words in commands(document)
        for option in re.findall(r"(?<!\S)--[a-z][a-z-]*", " ".join(words))
        if not has_option(module, words, option)
    ]
    assert wrong == []


def python_of(*folders: str) -> list[str]:
    return [path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def everything() -> str:
    """All that the product's files say."""
    kinds = {".py", ".lua", ".js", ".html", ".yml"}
    folders = ("service", "consumers", "deploy")
    return "\n".join(
        path.read_text() for each in folders for path in sorted((ROOT / each).rglob("*")) if path.suffix in kinds
    )


@cache
def said() -> str:
    """Every text of the product's Python, a line each, with … for what is put in."""
    lines = []
    for source in python_of("service", "consumers", "deploy"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.JoinedStr):
                lines.append(
                    "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value)
    return "\n".join(" ".join(line.split()) for line in lines)


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_codes_and_headers(document: Path) -> None:
    ours = [span for span in spans(document) if re.fullmatch(r"(?!TICKET_COUNTS)[A-Z]+(_[A-Z]+)+|X-Counts[\w-]*", span)]
    assert [span for span in ours if span.casefold() not in everything().casefold()] == []


@pytest.mark.parametrize("document", OPERATORS, ids=names)
def test_what_the_program_is_quoted_with_it_says(document: Path) -> None:
    quoted = [span for span in spans(document) if " " in span and "→" not in span and not OF_OTHERS.match(span)]
    assert [span for span in quoted if span.removesuffix("…").strip() not in said()] == []


def test_a_quotation_that_the_program_does_not_say_is_found() -> None:
    assert "orphaned generation deleted" in said()
    assert "removed tenant collected" not in said()
    assert not OF_OTHERS.match("removed tenant collected")


def entries_in(document: Path) -> Iterator[tuple[tuple[str, str, str], Any]]:
    """The catalogue entries that its commands publish: kind, tenant and id, with the value."""
    for block in blocks_of(document):
        for line in re.findall(r'^\{"kind".*\}$', block.text, re.MULTILINE) if block.kind == "sh" else ():
            entry = json.loads(re.sub(r"\$\((?:[^()]|\([^()]*\))*\)", "", line))
            value = entry["value"] or {}
            key = entry.get("id") or value.get("id") or value.get("name") or value["identifier"]
            yield (entry["kind"], entry.get("tenant") or value.get("tenant") or "", key), entry["value"]


def test_no_two_documents_define_one_entry_differently() -> None:
    first: dict[tuple[str, str, str], tuple[str, Any]] = {}
    differing = []
    for document in DOCUMENTS:
        for key, value in entries_in(document):
            where, before = first.setdefault(key, (document.name, value))
            if where != document.name and before != value:
                differing.append((key, where, document.name))
    assert len(first) >= 4
    assert differing == []
