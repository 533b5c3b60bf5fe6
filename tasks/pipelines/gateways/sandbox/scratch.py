"""What a step has on disk besides its workspace, and taking away whatever steps leave."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tasks.pipelines.gateways.sandbox.base import SandboxFailed
from tasks.pipelines.gateways.sandbox.processes import name_process, named_process_lives

_PREFIX = "headrace-step"


@dataclass(frozen=True, slots=True)
class Scratch:
    """What a step has besides its workspace, on disk, for as long as it runs."""

    root: Path

    @classmethod
    def make(cls, parent: Path | None, script: str) -> Scratch:
        """Make the directories and write the script, readable by its owner only. Raises SandboxFailed."""
        try:
            scratch = cls(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{name_process()}-", dir=parent)))
            for directory in (scratch.home, scratch.temporary, scratch.control):
                directory.mkdir(mode=0o700)
            scratch.script.write_text(script, encoding="utf-8", errors="replace")
            scratch.status.touch()
        except OSError as error:
            raise SandboxFailed("There is no room for the step's temporary files.") from error
        return scratch

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def control(self) -> Path:
        return self.root / "control"

    @property
    def errors(self) -> Path:
        """What the sandbox itself has to say."""
        return self.root / "errors"

    @property
    def script(self) -> Path:
        return self.control / "script"

    @property
    def status(self) -> Path:
        """Grows by one byte when the script starts and by one when it ends, where the sandbox has a shell around it."""
        return self.control / "status"

    def make_folder(self, name: str) -> Path:
        """Make one more directory for the step. Raises SandboxFailed."""
        folder = self.root / name
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise SandboxFailed("There is no room for the step's temporary files.") from error
        return folder

    def status_size(self) -> int:
        """How far it has grown; a step may tamper with it, which harms only itself."""
        try:
            return self.status.lstat().st_size
        except OSError:
            return 0

    def remove(self) -> None:
        """Delete all of it; most steps leave nothing there, which is quicker without another process."""
        try:
            for file in (self.script, self.status, self.errors):
                file.unlink(missing_ok=True)
            for directory in (self.home, self.temporary, self.control, self.root):
                directory.rmdir()
        except OSError:
            remove_tree(self.root)


def remove_tree(path: Path) -> None:
    """Delete what a step left, however deep and with whatever modes; symbolic links are not followed.

    `shutil.rmtree` fails at the recursion limit, which a step reaches by `mkdir` in a loop.
    """
    remove = ["rm", "-rf", "--one-file-system", "--", str(path)]
    if _quietly(remove) != 0:
        _quietly(["chmod", "-R", "u+rwX", "--", str(path)])
        _quietly(remove)


def give_to(uid: int, *paths: Path) -> None:
    """Hand whole trees to the user a step runs as."""
    give_all_to(uid, *(path for path in paths if path.lstat().st_uid != uid))


def give_all_to(uid: int, *paths: Path) -> None:
    """Hand whole trees to a user, whoever their top belongs to."""
    if paths:
        _quietly(["chown", "-Rh", f"{uid}:{uid}", "--", *map(str, paths)])


def remove_abandoned_scratch(parent: Path | None) -> None:
    """Delete what workers that were killed left behind; what belongs to another user is not ours to judge."""
    for path in Path(parent or tempfile.gettempdir()).glob(f"{_PREFIX}-*-*-*"):
        pid, start, _ = path.name.removeprefix(f"{_PREFIX}-").split("-", 2)
        if not named_process_lives(f"{pid}-{start}") and path.lstat().st_uid == os.geteuid():
            remove_tree(path)


def _quietly(arguments: list[str]) -> int:
    return subprocess.run(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode
