"""What a workspace may name as its repository and branch. Reads text only: no look-up, no connection.

Whoever connects must look again at the address a name leads to; here only what is plain from the text is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.kernel.addresses import is_private_host, read_address

LONGEST_URL = 2048
LONGEST_BRANCH = 255

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
_SCP_LIKE: Final = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[^@:/]+|\[[0-9A-Fa-f:.]+\]):(?P<path>[^:].*)"
)
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PORTS: Final = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
_BRANCH_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//")

NO_CREDENTIALS = "must not hold a user name, password or token; keep credentials in the workspace's secrets"


@dataclass(frozen=True, slots=True)
class RepositoryRules:
    """What this installation allows beyond public addresses."""

    allow_file: bool = False
    allow_private: bool = False


def find_url_fault(url: str, rules: RepositoryRules) -> str | None:
    """Return why `url` cannot be a repository, or None.

    Taken are `https`, `http`, `ssh` and `file` addresses and `user@host:path`, as `git clone` takes them.
    """
    if len(url) > LONGEST_URL:
        return f"must not be longer than {LONGEST_URL} characters"
    if _FORBIDDEN.search(url):
        return "must not hold spaces, control characters or backslashes"
    if url.startswith("-"):
        return "must not begin with a dash"
    if "://" not in url:
        return _find_scp_fault(url, rules)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a well-formed address"
    if port == 0:
        return "has no usable port"
    return _find_parts_fault(parts, rules)


def find_repository_key(url: str) -> str | None:
    """Return `host/path` in small letters, the same for the https and ssh addresses of one repository; None where the
    address names no host. The hosts take no care of capitals, and nor does who copies an address.
    """
    if "://" not in url:
        match = _SCP_LIKE.fullmatch(url)
        return _key(match["host"], match["path"]) if match else None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host:
        return None
    return _key(host if port in (None, _PORTS[scheme]) else f"{host}:{port}", parts.path)


def is_same_host(url: str, other: str) -> bool:
    """Whether what is sent to one address stays with the host of the other; addresses without a host never do."""
    hosts = [(find_repository_key(each) or "").partition("/")[0] for each in (url, other)]
    return bool(hosts[0]) and hosts[0] == hosts[1]


def _key(host: str, path: str) -> str | None:
    name = path.strip("/").removesuffix(".git").rstrip("/")
    return f"{host}/{name}".lower() if name else None


def find_branch_fault(branch: str) -> str | None:
    """Return why `branch` cannot be a branch (the rules of `git check-ref-format`), or None."""
    if not 0 < len(branch) <= LONGEST_BRANCH:
        return f"must have 1 to {LONGEST_BRANCH} characters"
    if branch.startswith("-"):
        return "must not begin with a dash"
    if _BRANCH_FORBIDDEN.search(branch) or branch == "@":
        return "is not a valid branch name"
    if any(part.startswith(".") or part.endswith((".", ".lock")) or not part for part in branch.split("/")):
        return "is not a valid branch name"
    return None


def _find_scp_fault(url: str, rules: RepositoryRules) -> str | None:
    match = _SCP_LIKE.fullmatch(url)
    if match is None:
        return "must be an https, http, ssh or file address, or user@host:path"
    if match["path"].startswith("-"):
        return "must not have a path that begins with a dash"
    return _find_host_fault(match["host"].strip("[]"), rules)


def _find_parts_fault(parts: SplitResult, rules: RepositoryRules) -> str | None:
    if parts.query or parts.fragment:
        return "must not have a query or a fragment"
    match parts.scheme.lower():
        case "http" | "https":
            return NO_CREDENTIALS if "@" in parts.netloc else _find_remote_fault(parts, rules)
        case "ssh":
            return _find_ssh_user_fault(parts) or _find_remote_fault(parts, rules)
        case "file":
            return _find_file_fault(parts, rules)
        case _:
            return "must be an https, http, ssh or file address, or user@host:path"


def _find_ssh_user_fault(parts: SplitResult) -> str | None:
    if parts.password is not None:
        return NO_CREDENTIALS
    if "@" in parts.netloc and not _USER.fullmatch(parts.username or ""):
        return "has a user name that is not allowed"
    return None


def _find_remote_fault(parts: SplitResult, rules: RepositoryRules) -> str | None:
    if len(parts.path) < 2:
        return "names no repository"
    return _find_host_fault(parts.hostname or "", rules)


def _find_file_fault(parts: SplitResult, rules: RepositoryRules) -> str | None:
    if not rules.allow_file:
        return "must not be a file address: this installation does not allow them"
    if parts.netloc or len(parts.path) < 2 or not parts.path.startswith("/"):
        return "must be file:// with an absolute path"
    return None


def _find_host_fault(host: str, rules: RepositoryRules) -> str | None:
    if not (_HOST.fullmatch(host) or (":" in host and "%" not in host and read_address(host))):
        return "has no valid host name"
    if not rules.allow_private and is_private_host(host):
        return "must not be on a private network: this installation does not allow it"
    return None
