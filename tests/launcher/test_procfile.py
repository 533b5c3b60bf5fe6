"""The Procfile: read in order, refused by line."""

from pathlib import Path

import pytest

from launcher.procfile import ProcfileInvalid, read_procfile

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str) -> Path:
    path = folder / "Procfile"
    path.write_text(text)
    return path


def test_commands_come_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path, "# a comment\nweb: serve --port $PORT\n\nworker-ci:  work: hard  \n")
    assert list(read_procfile(path).items()) == [("web", "serve --port $PORT"), ("worker-ci", "work: hard")]


@pytest.mark.parametrize("line", ["no colon", ": no name", "empty:", "two words: run", "web: twice"])
def test_an_unclear_line_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(ProcfileInvalid, match="line 2"):
        read_procfile(write(tmp_path, f"web: serve\n{line}\n"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcfileInvalid, match="nowhere"):
        read_procfile(tmp_path / "nowhere")


def test_ours_starts_every_part_and_tells_no_secret() -> None:
    commands = read_procfile(ROOT / "Procfile")
    assert list(commands) == [
        "release",
        "web",
        "stream",
        "worker-ci",
        "worker-clusters",
        "worker-sre",
        "worker-deliveries",
        "worker-interactive",
        "worker-default",
        "relay",
        "beat",
        "flower",
    ]
    assert not [command for command in commands.values() if "PASSWORD" in command or "basic" in command]
