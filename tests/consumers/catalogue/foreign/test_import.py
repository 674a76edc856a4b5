"""`consumers.catalogue import`: entries on stdout, words on stderr, and a status that says whether all came along."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.catalogue.command import catalogue

GOOD = {"id": 1, "title": "Mine", "conditions": {"all": [{"field": "assignee_id", "operator": "is", "value": "7"}]}}
BAD = {"id": 2, "title": "Mail", "conditions": {"all": [{"field": "via_id", "operator": "is", "value": "4"}]}}


@pytest.fixture
def views(tmp_path: Path) -> str:
    return written(tmp_path / "views.json", {"views": [GOOD, BAD], "count": 2, "next_page": None})


def written(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document, indent=2))
    return str(path)


async def importing(file: str, *more: str, system: str = "zendesk") -> int:
    return await catalogue("import", "--from", system, "--tenant", "acme", *more, file)


async def test_what_comes_along_is_printed_and_what_does_not_is_told(
    views: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await importing(views) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["value"]["id"] for line in out.splitlines()] == ["zendesk-1"]
    problem, total = err.splitlines()
    assert problem.startswith('zendesk view 2 "Mail": conditions.all[0]: no field of ours for via_id; name one')
    assert total == "1 filters, 1 left out"


async def test_an_entry_is_one_line_to_every_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    title = "Mine\u2028or\u2029not\x85"
    views = written(tmp_path / "views.json", {"views": [{**GOOD, "title": title}], "next_page": None})
    assert await importing(views) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["value"]["name"] == title


async def test_skipping_is_no_failure(views: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await importing(views, "--skip") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


async def test_a_map_says_what_names_are_here(views: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = written(tmp_path / "map.json", {"users": {"7": "ann"}, "fields": {"via_id": "fields.channel"}})
    assert await importing(views, "--map", names) == 0
    wheres = [json.loads(line)["value"]["where"]["all"][0] for line in capsys.readouterr().out.splitlines()]
    assert wheres == [
        {"field": "assignee", "op": "eq", "value": "ann"},
        {"field": "fields.channel", "op": "eq", "value": "4"},
    ]


async def test_what_was_imported_passes_the_check(
    views: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await importing(views, "--skip") == 0
    entries = tmp_path / "entries"
    entries.write_text(capsys.readouterr().out)
    assert await catalogue("check", str(entries)) == 0


async def test_what_the_consumers_would_refuse_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    many = {"id": 4, "title": "Many", "conditions": {"any": GOOD["conditions"]["all"] * 65}}  # type: ignore[index]
    assert await importing(written(tmp_path / "v", {"views": [many]})) == 1
    assert capsys.readouterr().err.splitlines()[0] == 'zendesk view 4 "Many": where.any[64]: more than 64 leaves'


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({"people": {}}, "unknown field `people`"),
        ({"fields": {"via_id": "channel"}}, "fields.via_id: 'channel' is no field of tickets"),
        ({"fields": {"via_id": "state"}}, "fields.via_id: 'state' is no field of tickets"),
        ({"fields": {"x": {"field": "tags", "type": "text"}}}, "fields.x: values of tags are of type list"),
    ],
)
async def test_a_wrong_map_is_wrong_use(
    views: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], names: object, problem: str
) -> None:
    assert await importing(views, "--map", written(tmp_path / "map.json", names)) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(("system", "document"), [("zendesk", [GOOD]), ("chatwoot", {"views": []}), ("zendesk", {})])
async def test_another_system_s_file_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str, document: object
) -> None:
    name = written(tmp_path / "file.json", document)
    assert await importing(name, system=system) == 2
    assert capsys.readouterr().err.startswith(f"{name}: ")


async def test_a_page_of_several_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = {"views": [GOOD], "next_page": "https://acme.example/api/v2/views?page=2"}
    assert await importing(written(tmp_path / "v", page)) == 0
    assert "is one of several pages: import the others too" in capsys.readouterr().err
