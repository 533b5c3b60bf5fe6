"""The environment variables that the platform's processes are started with."""

import os
import sys
from pathlib import Path

from launcher.ports import LOOPBACK, free_port
from launcher.processes import LaunchError

WEB_PORT = 8000
FLOWER_PORT = 5555
# A caller that is itself a git hook has these set, for its own repository.
FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


def build_environment(secrets: dict[str, str], data_dir: Path, run_dir: Path, urls: dict[str, str]) -> dict[str, str]:
    """The caller's own variables with the platform's added; `urls` are those of the servers started here, by variable.

    What makes the parts find each other is set here; what a user may choose (ADMIN_*, SECRET_KEY, limits, PORT and
    FLOWER_PORT as wishes) is taken from the caller where it is there.
    """
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    for name, value in _choices(secrets).items():
        environment.setdefault(name, value)
    environment.setdefault("FLOWER_BASIC_AUTH", _flower_login(environment))
    port, flower_port = _wish("PORT", WEB_PORT), _wish("FLOWER_PORT", FLOWER_PORT)
    return environment | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "ENVIRONMENT": "development",
        "HOST": LOOPBACK,
        "PORT": str(port),
        "PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "FLOWER_PORT": str(flower_port),
        "FLOWER_URL": f"http://{LOOPBACK}:{flower_port}",
        "DATA_DIR": str(data_dir),
        "RUN_DIR": str(run_dir),
        "STREAM_SOCKET": str(run_dir / "stream.sock"),
        **_step_tools(),
        **urls,
    }


def _choices(secrets: dict[str, str]) -> dict[str, str]:
    return {
        "SECRET_KEY": secrets["secret_key"],
        "ADMIN_USERNAME": "admin",
        "ADMIN_PASSWORD": secrets["admin_password"],
        "ADMIN_EMAIL": "admin@example.com",
        "ALLOW_FILE_REPOSITORIES": "true",
        "ALLOW_PRIVATE_ADDRESSES": "true",
        # Each demo registers a user of its own, all from this machine's one address.
        "RATE_LIMIT_REGISTER": "1000/hour",
    }


def _step_tools() -> dict[str, str]:
    """Let steps use the tools of this virtual environment, which they may read."""
    if "STEP_PATH" in os.environ:
        return {}
    tools = Path(sys.prefix)
    readable = {str(tools), sys.base_prefix, *filter(None, os.environ.get("SANDBOX_READ_ONLY", "").split(":"))}
    return {"STEP_PATH": str(tools / "bin"), "SANDBOX_READ_ONLY": ":".join(sorted(readable))}


def _flower_login(environment: dict[str, str]) -> str:
    if set(",:") & set(environment["ADMIN_PASSWORD"]):
        raise LaunchError("Flower takes no comma or colon in its password: choose another ADMIN_PASSWORD")
    return f"{environment['ADMIN_USERNAME']}:{environment['ADMIN_PASSWORD']}"


def _wish(name: str, default: int) -> int:
    wish = os.environ.get(name) or str(default)
    if not wish.isdecimal() or int(wish) > 65535:
        raise LaunchError(f"{name} is not a port number: {wish}")
    return free_port(int(wish))
