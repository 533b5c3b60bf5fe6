"""All that git knows of its surroundings: one configuration file in a home of its own, and a handful of variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.pipelines.gateways.base import GitCredentials, RepositoryAccessDenied
from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH

# Faults of old tools that many honest histories carry. What could harm a checkout stays refused.
_HARMLESS_FAULTS = (
    "badDateOverflow",
    "badEmail",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "core": {"hooksPath": "/dev/null", "fsmonitor": "false", "askPass": ""},
    # Ownership says nothing here: repositories by file address belong to whoever develops them.
    "safe": {"directory": "*"},
    "transfer": {"fsckObjects": "true", "credentialsInUrl": "die"},
    "fetch": {"recurseSubmodules": "false", "writeCommitGraph": "false", "unpackLimit": "1"},
    # Of local repositories alone, whose packing is ours to pay: searching for deltas takes most of a checkout's time.
    "pack": {"window": "0", "compression": "1"},
    'fetch "fsck"': dict.fromkeys(_HARMLESS_FAULTS, "ignore"),
    "submodule": {"recurse": "false"},
    "gc": {"auto": "0"},
    "maintenance": {"auto": "false"},
    "init": {"defaultBranch": "main"},
    "advice": {"detachedHead": "false"},
}

# The transfer ends of itself when nothing has come for two minutes: then a helper of git that outlived it ends too.
_HTTP = {"followRedirects": "false", "proxy": "", "lowSpeedLimit": "1", "lowSpeedTime": "120"}

# By the environment and by a helper git asks itself: a password in an address, an argument or a file can be seen.
_HELPER = r"!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$GIT_LOGIN\" \"$GIT_PASSWORD\"; }; f"


def write_configuration(home: Path, *, pins: Sequence[str], credentials: GitCredentials | None) -> None:
    """Write the configuration; `pins` are addresses that host names lead to, in the form of curl's `--resolve`."""
    lines = _section("http", _HTTP) + [f"\tcurloptResolve = {pin}" for pin in pins]
    for name, settings in _SETTINGS.items():
        lines += _section(name, settings)
    lines += _section("credential", {"helper": ""})
    if credentials is not None:
        lines += [f'\thelper = "{_HELPER}"']
    (home / ".gitconfig").write_text("\n".join([*lines, ""]))


def make_environment(home: Path, protocols: Sequence[str], credentials: GitCredentials | None) -> dict[str, str]:
    """Return the whole environment of git; nothing of the worker's is in it. Raises RepositoryAccessDenied."""
    environment = {
        "PATH": SYSTEM_PATH,
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
        # The variable and not the configuration, as that of a local repository would overrule ours.
        "GIT_ALLOW_PROTOCOL": ":".join(protocols),
    }
    return environment | _login(credentials)


def _login(credentials: GitCredentials | None) -> dict[str, str]:
    if credentials is None:
        return {}
    login = {"GIT_LOGIN": credentials.username, "GIT_PASSWORD": credentials.password}
    if any(sign in value for value in login.values() for sign in "\0\r\n"):
        raise RepositoryAccessDenied("The repository's user name or password holds a line break.")
    return login


def _section(name: str, settings: Mapping[str, str]) -> list[str]:
    return [f"[{name}]", *(f"\t{key} = {value}" for key, value in settings.items())]
