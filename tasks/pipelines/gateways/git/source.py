"""The source of code that is git: resolving, checking out, reading one file."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.tenancy import RepositoryRules, find_branch_fault
from tasks.pipelines.gateways.base import (
    BranchNotFound,
    Check,
    Checkout,
    CheckoutRequest,
    CommitNotFound,
    ReadFile,
    ResolveRequest,
    TagNotFound,
)
from tasks.pipelines.gateways.git.addresses import find_route
from tasks.pipelines.gateways.git.bounds import Bounds
from tasks.pipelines.gateways.git.configuration import make_environment, write_configuration
from tasks.pipelines.gateways.git.faults import explain
from tasks.pipelines.gateways.git.process import Git, GitFailed
from tasks.pipelines.gateways.git.repository import Repository

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MOST_BYTES_TO_RESOLVE = 64 * 1024**2
_NO_MATCH = 2

_Request = ResolveRequest | CheckoutRequest


class GitSource:
    """Brings source code by git, 2.30 or newer; from 2.37 on host names are pinned to the addresses checked."""

    def __init__(self, *, allow_file: bool, allow_private_addresses: bool) -> None:
        self._rules = RepositoryRules(allow_file=allow_file, allow_private=allow_private_addresses)

    def resolve(self, request: ResolveRequest, check: Check) -> str:
        """Return the full id of the commit a branch, a tag or the default branch stands for."""
        with self._opened(request, _MOST_BYTES_TO_RESOLVE, check) as git:
            return _resolve(git, request)

    def checkout(self, request: CheckoutRequest, check: Check) -> Checkout:
        """Bring the commit into the empty folder `into`, with as little history as the server lets us."""
        with self._opened(request, request.max_bytes, check, request.into) as git:
            commit = _commit_of(git, request)
            repository = Repository(git, request.into)
            repository.fetch(request.repository_url, commit, _place_of(request))
            repository.check_out(commit, request.branch)
            message, author = repository.describe(commit)
            return Checkout(commit, request.branch, message, author)

    @contextmanager
    def reading(self, request: CheckoutRequest, check: Check) -> Iterator[ReadFile]:
        """Bring the commit, and give what returns its regular files of at most a mebibyte."""
        with self._opened(request, request.max_bytes, check, request.into) as git:
            commit = _commit_of(git, request)
            repository = Repository(git, request.into)
            repository.fetch(request.repository_url, commit, _place_of(request))
            yield lambda path: repository.read_file(commit, path)

    @contextmanager
    def _opened(self, request: _Request, max_bytes: int, check: Check, *folders: Path) -> Iterator[Git]:
        _check_names(request)
        with tempfile.TemporaryDirectory(prefix="headrace-git-") as name:
            home = Path(name)
            bounds = Bounds(seconds=request.timeout, max_bytes=max_bytes, folders=(home, *folders), check=check)
            route = find_route(request.repository_url, self._rules, bounds)
            write_configuration(home, pins=route.pins, credentials=request.credentials)
            environment = make_environment(home, [route.protocol], request.credentials)
            try:
                yield Git(home, environment, bounds)
            except GitFailed as failure:
                raise explain(failure, request.credentials) from None


def _check_names(request: _Request) -> None:
    if request.branch == "HEAD":
        raise BranchNotFound("No branch can be named HEAD.")
    if request.branch is not None and (fault := find_branch_fault(request.branch)):
        raise BranchNotFound(f"The name of the branch {fault}.")
    if request.tag is not None and (fault := find_branch_fault(request.tag)):
        raise TagNotFound(f"The name of the tag {fault}.")
    ref = getattr(request, "ref", None)
    if ref is not None and (not ref.startswith("refs/") or find_branch_fault(ref)):
        raise CommitNotFound("The place of the commit is not a ref.")


def _place_of(request: CheckoutRequest) -> str | None:
    if request.ref is not None:
        return request.ref
    return f"refs/heads/{request.branch}" if request.branch is not None else None


def _commit_of(git: Git, request: CheckoutRequest) -> str:
    if request.commit_sha is None:
        return _resolve(git, request)
    commit = request.commit_sha.lower()
    if not _COMMIT.fullmatch(commit):
        raise CommitNotFound("A commit is named by its full id of 40 hexadecimal digits.")
    return commit


def _resolve(git: Git, request: _Request) -> str:
    wanted = _wanted(request)
    try:
        listed = git.run("ls-remote", "--exit-code", "--", request.repository_url, *wanted)
    except GitFailed as failure:
        if failure.exit_code != _NO_MATCH:
            raise
        listed = b""
    commits = _commits_by_ref(listed.decode(errors="replace"))
    for ref in wanted:
        if ref in commits:
            return commits[ref]
    raise _missing(request)


def _commits_by_ref(listed: str) -> dict[str, str]:
    """Servers and patterns may give more than was asked for."""
    pairs = (line.partition("\t") for line in listed.splitlines())
    return {ref: commit for commit, _, ref in pairs if _COMMIT.fullmatch(commit)}


def _wanted(request: _Request) -> list[str]:
    """An annotated tag is an object of its own; its commit is listed under its name with `^{}`."""
    if request.branch is not None:
        return [f"refs/heads/{request.branch}"]
    if request.tag is not None:
        return [f"refs/tags/{request.tag}^{{}}", f"refs/tags/{request.tag}"]
    return ["HEAD"]


def _missing(request: _Request) -> BranchNotFound | TagNotFound | CommitNotFound:
    if request.branch is not None:
        return BranchNotFound(f"The repository has no branch {request.branch!r}.")
    if request.tag is not None:
        return TagNotFound(f"The repository has no tag {request.tag!r}.")
    return CommitNotFound("The repository has no commits yet.")
