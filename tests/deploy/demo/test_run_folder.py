"""Each demo has a folder of its own, and none of them stumbles over what another left."""

import tempfile
from pathlib import Path

import pytest

from deploy.demo.processes.run_folder import NoFolder, run_folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "Makefile").touch()
    return tmp_path


def test_it_is_in_the_project_and_private(project: Path) -> None:
    with run_folder(project) as folder:
        assert folder == project / ".demo"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / ".gitignore").read_text() == "*\n"


def test_two_at_once_have_two(project: Path) -> None:
    with run_folder(project) as first, run_folder(project) as second:
        assert [first.name, second.name] == [".demo", ".demo-2"]
    with run_folder(project) as third:
        assert third == first


def test_what_a_killed_one_left_is_removed_first(project: Path) -> None:
    with run_folder(project) as folder:
        (folder / "environment").touch()
        (folder / "data").mkdir()
    with run_folder(project) as folder:
        assert {each.name for each in folder.iterdir()} == {"lock", ".gitignore"}


def test_an_installed_package_writes_to_the_temporary_folder_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with run_folder(tmp_path / "site-packages") as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700


def test_where_nothing_can_be_written_the_message_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(NoFolder, match=r"can't write to .*gone: No such file"), run_folder(tmp_path / "site-packages"):
        pass


def test_a_file_in_its_place_is_said_too(project: Path) -> None:
    (project / ".demo").touch()
    with pytest.raises(NoFolder, match=r"can't write to .*\.demo: File exists"), run_folder(project):
        pass
