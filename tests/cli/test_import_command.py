"""`headrace import` as it is called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app.pipelines.definition import parse
from cli.__main__ import main
from tests.cli.conftest import FILES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_of_a_folder_becomes_headrace_yml(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FILES / "gitlab" / ".gitlab-ci.yml", folder)
    assert main(["import"]) == 0
    assert parse((folder / "headrace.yml").read_text(), "yaml").stages
    assert ".gitlab-ci.yml:43: left out: extends: " in capsys.readouterr().err


def test_nothing_is_written_over_unless_it_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FILES / "gitlab" / ".gitlab-ci.yml", folder)
    (folder / "headrace.yml").write_text("mine")
    assert main(["import"]) == 2
    assert (folder / "headrace.yml").read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main(["import", "--force"]) == 0


def test_each_workflow_becomes_a_file_of_its_own(folder: Path) -> None:
    shutil.copytree(FILES / "github" / ".github", folder / ".github")
    assert main(["import", "--output", str(folder)]) == 0
    assert sorted(path.name for path in folder.glob("*.yml")) == ["headrace-dynamic.yml", "headrace-tests.yml"]


def test_workflows_of_one_name_do_not_write_over_each_other(folder: Path) -> None:
    shutil.copytree(FILES / "github" / ".github", folder / ".github")
    shutil.copytree(folder / ".github", folder / ".gitea")
    shutil.copy(folder / ".github/workflows/tests.yml", folder / ".github/workflows/tests.yaml")
    assert main(["import", "--force"]) == 0
    names = ["headrace-dynamic-2", "headrace-dynamic", "headrace-tests-2", "headrace-tests-3", "headrace-tests"]
    assert sorted(path.name for path in folder.glob("*.yml")) == [f"{name}.yml" for name in names]


def test_nothing_is_written_where_one_file_of_several_is_there(folder: Path) -> None:
    shutil.copytree(FILES / "github" / ".github", folder / ".github")
    (folder / "headrace-tests.yml").write_text("mine")
    assert main(["import"]) == 2
    assert [path.name for path in folder.glob("*.yml")] == ["headrace-tests.yml"]


def test_a_place_that_cannot_be_written_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(FILES / "gitlab" / ".gitlab-ci.yml", folder)
    assert main(["import", "--output", ".gitlab-ci.yml/headrace.yml"]) == 2
    assert "headrace: .gitlab-ci.yml/headrace.yml cannot be written: " in capsys.readouterr().err


def test_a_file_that_cannot_be_converted_is_named_with_its_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ci.yml").write_text("a: 1\nb: [")
    assert main(["import", "--kind", "github", "ci.yml"]) == 1
    assert "ci.yml:3: not converted: is not YAML" in capsys.readouterr().err
    assert not (folder / "headrace.yml").exists()


def test_a_survey_counts_how_files_fare(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("github", "gitlab", "woodpecker"):
        shutil.copytree(FILES / kind, folder / kind)
    assert main(["import", "--survey", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "github: 2 pipelines: 0 whole, 2 with losses, 0 refused" in said
    assert "woodpecker: 1 pipelines: 0 whole, 1 with losses, 0 refused" in said


def test_the_program_works_from_any_directory_and_runs_nothing_of_it(folder: Path) -> None:
    (folder / "yaml.py").write_text("raise SystemExit('taken from the directory')")
    shutil.copy(FILES / "gitlab" / ".gitlab-ci.yml", folder)
    ended = subprocess.run(
        [ROOT / "headrace", "import", "--output", "-"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("# Converted from .gitlab-ci.yml")
