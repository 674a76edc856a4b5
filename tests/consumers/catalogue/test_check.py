"""`consumers.catalogue check`: every bad line with its place and path, and nothing published."""

import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.catalogue.command import catalogue
from tests.domain.catalogue.test_entries import EC

GOOD_FILTER = {"id": "f", "tenant": "t", "name": "F", "type": "custom", "where": {"field": "tags", "op": "is_empty"}}
EVENT = {
    "specversion": "1.0",
    "id": "e",
    "source": "/x",
    "type": "ticket.created",
    "subject": "1",
    "tenantid": "t",
    "sequence": 1,
    "time": "2026-11-21T10:15:00Z",
    "data": {"status": "1", "createdAt": "2026-11-21T10:15:00Z"},
}


def filter_with(**members: Any) -> dict[str, Any]:
    return {"kind": "filter", "value": GOOD_FILTER | members}


def written(path: Path, *lines: object) -> str:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts))
    return str(path)


async def check(*files: str) -> int:
    return await catalogue("check", *files)


async def test_good_lines_say_nothing_but_how_many_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    removal = {"kind": "filter", "tenant": "t", "id": "f", "value": None}
    assert await check(written(tmp_path / "good", filter_with(), "", removal, EVENT)) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "1 entries, 1 removals and 1 events would be accepted, 0 lines refused\n"


BAD_NODE = {"all": [{"field": "status", "op": "eq", "value": "1"}, {"field": "tags", "op": "gt", "value": "1"}]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (filter_with(where=BAD_NODE), "where.all[1].op: gt doesn't apply to tags"),
        (filter_with(type="team lead"), "type: "),
        (filter_with(id="x" * 129), "key: "),
        ({"kind": "filter", "tenant": "no tenant", "id": "f", "value": None}, "key: "),
        ({"kind": "filter", "value": {"id": "f"}}, "value.tenant: must be a text that isn't empty"),
        ({"kind": "realm", "value": {"name": "r", "issuer": "i"}}, "jwks: expected either jwks or jwksUri"),
        ("{", "line: is not JSON: "),
        ({}, "line: is neither a CloudEvent (specversion) nor a catalogue entry (kind)"),
        (EVENT | {"sequence": -1}, "sequence: "),
        (EVENT | {"data": {"createdAt": "2026-11-21T10:15:00Z"}}, "data.status: "),
    ],
)
async def test_a_bad_line_is_named_with_its_place_and_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: object, problem: str
) -> None:
    name = written(tmp_path / "mixed", filter_with(), line, filter_with())
    assert await check(name) == 1
    out, err = capsys.readouterr()
    assert out.startswith(f"{name}:2: {problem}")
    assert len(out.splitlines()) == 1
    assert err.startswith("2 entries, 0 removals and 0 events would be accepted, 1 lines refused")


async def test_what_is_odd_about_a_good_line_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    realm = {"name": "r", "issuer": "i", "jwks": {"keys": [{"kty": "XYZ"}, EC]}, "audience": "counts"}
    name = written(tmp_path / "realm", {"kind": "realm", "value": realm})
    assert await check(name) == 0
    out, err = capsys.readouterr()
    assert out == f"{name}:1: warning: jwks.keys[0].kty: invalid value 'XYZ'; this key is ignored\n"
    assert err.startswith("1 entries, 0 removals and 0 events would be accepted, 0 lines refused")


async def test_several_files_packed_ones_too_are_read_one_after_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(b"[]\n"))
    assert await check(written(tmp_path / "a", "nonsense"), str(packed)) == 1
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == [f"{tmp_path}/a:1", f"{packed}:1"]


async def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await check(str(tmp_path / "absent")) == 2
    assert "No such file" in capsys.readouterr().err


async def test_a_program_needs_a_command_and_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        await catalogue()
    assert ended.value.code == 2
    assert "check|show|unknown|explain|import" in capsys.readouterr().err


async def test_help_of_every_command_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("check", "show", "unknown", "explain", "import"):
        with pytest.raises(SystemExit) as ended:
            await catalogue(command, "--help")
        assert ended.value.code == 0
    assert io.StringIO(capsys.readouterr().out).readline().startswith("usage: python -m consumers.catalogue check")


def test_it_runs_as_a_program_on_stdin() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "consumers.catalogue", "check", "-"],
        input=json.dumps(filter_with()) + "\n{}",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("stdin:2: line: is neither")
