"""Every command in the README and in docs/ works as it stands there, and prints what is said there."""

import json
import re
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.clone import ROOT, clone
from tests.deploy.documents import FENCE, Block, Shell, blocks_of, shell
from tests.deploy.running import running
from tests.support.starting import start_here
from tests.support.waiting import wait_until_blocking

HISTORY = ("CHANGELOG.md", "decisions.md")
"""Of what was: these name what is gone, too."""

DOCUMENTS = [
    path for path in (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))) if path.name != HISTORY[0]
]

GETTING_STARTED = ROOT / "docs" / "getting-started.md"

RUNS_THIS = ("make test", "make check")
"""What this test is a part of: run by whoever reads its result."""

ONLY_READ = {"text", "json", "ndjson", "yaml", "python", "js", "html", "lua", "mermaid"}

RUN_ELSEWHERE = {"docs/streams.md": "tests/service/process/test_streams_page.py"}
"""Pages whose examples need no demo, and the test that runs every one of them."""

SHOWN_S = 15.0
"""Longest wait for what was published to be counted, on a machine that runs other tests too."""


def names(document: Path) -> str:
    return str(document.relative_to(ROOT))


def starts_a_demo(document: Path) -> bool:
    return any(block.text.startswith("make demo") for block in blocks_of(document))


@pytest.mark.timeout(240)  # operations are many commands, each a process of its own
@pytest.mark.parametrize(
    "document",
    [
        # One demo is enough for `make test`.
        pytest.param(each, marks=pytest.mark.exhaustive if starts_a_demo(each) and each != GETTING_STARTED else ())
        for each in DOCUMENTS
    ],
    ids=names,
)
def test_its_blocks_run_in_their_order(document: Path) -> None:
    commands = [block for block in blocks_of(document) if block.kind == "sh" and block.text.strip() not in RUNS_THIS]
    if not commands or names(document) in RUN_ELSEWHERE:
        return
    with ExitStack() as open_now:
        here = open_now.enter_context(clone(Path(sys.executable).resolve()))
        here.give_environment()
        typed = open_now.enter_context(shell(here))
        catalogue_changes = False
        for block in commands:
            catalogue_changes |= '{"kind": ' in block.text
            if block.text.startswith("make demo"):
                # As it is typed, but beside whatever else begins at the usual port in this very second.
                demo = running(here, *shlex.split(block.text), ARGS="--port 0")
                open_now.enter_context(demo).wait_ready()
            elif block.shown:
                check_shown(typed, block, patiently=catalogue_changes)
                catalogue_changes = False
            else:
                typed.run(block.text)


def check_shown(typed: Shell, block: Block, *, patiently: bool) -> None:
    """It prints what is shown: at once, or soon after a change of the catalogue, which nothing waits for.

    What is left out of the shown answer is said.
    """
    shown = json.loads(block.shown)
    last = block.text[block.text.rindex("curl ") :]
    printed = typed.run(block.text)

    def as_shown() -> bool:
        nonlocal printed
        if contains(json.loads(printed), shown):
            return True
        assert patiently, f"{shown} is shown, but this is printed: {printed}"
        printed = typed.run(last)
        return False

    wait_until_blocking(as_shown, SHOWN_S, f"{shown} of\n{last}\nand got {printed}")
    assert block.says_shortened == (json.loads(printed) != shown), f"the whole answer is {printed}"


def contains(answer: Any, shown: Any) -> bool:
    """Whether the answer has everything that is shown, and more if it likes."""
    if isinstance(shown, dict):
        return isinstance(answer, dict) and all(contains(answer.get(name), value) for name, value in shown.items())
    return bool(answer == shown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_no_command_hides_in_a_block_of_another_kind(document: Path) -> None:
    assert {block.kind for block in blocks_of(document)} <= ONLY_READ | {"sh", "sh docker", "sh redis"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=names)
def test_events_are_counted_before_a_walk_goes_on(document: Path) -> None:
    """Whoever types fast would see other numbers than are shown."""
    for block in blocks_of(document):
        for name in re.findall(r"consumers\.publish (?!.*--until-applied).*?([\w-]+\.ndjson)", block.text):
            content = re.search(rf"> {name} <<'?END'?\n(.*?)^END$", document.read_text(), re.MULTILINE | re.DOTALL)
            assert content is not None, name
            assert '"specversion"' not in content[1], f"{name} has events: publish it with --until-applied"


def modules_in_the_text() -> list[str]:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    return sorted(set(re.findall(r"`python -m ([\w.]+)[^`]*`", text)))


@pytest.mark.parametrize("module", modules_in_the_text())
def test_a_module_named_in_the_text_can_be_run(module: str) -> None:
    done = start_here(module, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_targets_named_anywhere_exist() -> None:
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    targets = set(re.findall(r"(?:^|`)make ([\w-]+)", text, re.MULTILINE))
    assert "demo" in targets
    assert targets <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_files_and_tests_named_in_the_text_exist() -> None:
    for document in DOCUMENTS:
        for name, test in re.findall(r"`((?:service|consumers|tests)/[\w/.]+)(?:::(\w+))?", document.read_text()):
            assert (ROOT / name).exists(), f"{document.name}: {name}"
            assert not test or f"def {test}(" in (ROOT / name).read_text(), f"{document.name}: {name} has no {test}"


def test_what_a_walk_through_the_code_names_is_in_its_file() -> None:
    """As in "`consumers/ingest/poll.py`, `Poll.run`"."""
    named = [
        (document.name, path, name)
        for document in DOCUMENTS
        for path, name in re.findall(r"`((?:service|consumers)/[\w/]+\.py)`,\s+`([\w.]+)`", document.read_text())
    ]
    assert len(named) > 30
    for document, path, name in named:
        for part in name.split("."):
            assert re.search(rf"^ *(?:async )?(?:def|class) {part}\b", (ROOT / path).read_text(), re.MULTILINE), (
                f"{document}: {path} has no {name}"
            )


def test_every_promise_of_the_architecture_names_a_test() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    promises = re.findall(r"^\| (\d+) \| (.*) \| ([^|]*)\|$", page, re.MULTILINE)
    assert [int(number) for number, _, _ in promises] == [*range(1, 27)]
    for number, promise, named in promises:
        assert bool(re.match(r"`tests/[\w/]+\.py::test_\w+`", named)) != promise.startswith("Not built yet"), number


def test_every_page_is_reached_from_the_readme() -> None:
    """By links from page to page."""
    reached, left = {ROOT / "README.md"}, [ROOT / "README.md"]
    while left:
        page = left.pop()
        links = {(page.parent / link).resolve() for link in re.findall(r"\]\(([^)#:]+\.md)", page.read_text())}
        left += links - reached
        reached |= links
    assert [names(document) for document in DOCUMENTS if document not in reached] == []


def test_links_between_documents_lead_somewhere() -> None:
    for document in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in link:
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_links_to_headings_lead_to_one() -> None:
    for document in DOCUMENTS:
        for link, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
            there = FENCE.sub("", (document.parent / link if link else document).read_text())
            headings = re.findall(r"^#+ (.+)$", there, re.MULTILINE)
            assert anchor in map(anchor_of, headings), f"{document.name}: {link}#{anchor}"


def anchor_of(heading: str) -> str:
    """As the platforms that show Markdown make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
