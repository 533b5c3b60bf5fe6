"""The actions that Headrace has something of its own for: checkout, caches, artifacts, and tools of the worker."""

from __future__ import annotations

import re
from typing import Final

from app.pipelines.definition.tree import Node
from cli.converting.github.contexts import Scope
from cli.converting.github.expressions import Call, Literal, Unreadable, read_expression
from cli.converting.github.steps import Handler, Job
from cli.converting.github.templates import as_text
from cli.converting.notes import shown
from cli.converting.paths import outside, within
from cli.converting.shaping import fit_name
from cli.converting.source import entries, get, line_of, text_of, whole_of

TOOLS: Final = {
    "actions/setup-python": "Python",
    "actions/setup-node": "Node.js",
    "actions/setup-go": "Go",
    "actions/setup-java": "Java",
    "actions/setup-dotnet": ".NET",
    "ruby/setup-ruby": "Ruby",
    "shivammathur/setup-php": "PHP",
    "dtolnay/rust-toolchain": "Rust",
    "actions-rs/toolchain": "Rust",
    "actions-rust-lang/setup-rust-toolchain": "Rust",
    "astral-sh/setup-uv": "uv",
    "pnpm/action-setup": "pnpm",
    "oven-sh/setup-bun": "Bun",
    "denoland/setup-deno": "Deno",
    "docker/setup-buildx-action": "Docker with buildx",
    "docker/setup-qemu-action": "QEMU",
    "azure/setup-helm": "Helm",
    "hashicorp/setup-terraform": "Terraform",
    "taiki-e/install-action": "the tool",
    "prefix-dev/setup-pixi": "pixi",
    "conda-incubator/setup-miniconda": "conda",
    "extractions/setup-just": "just",
    "arduino/setup-protoc": "protoc",
}
_WITHOUT_EFFECT: Final = ("swatinem/rust-cache", "actions/configure-pages", "step-security/harden-runner")
_HASH: Final = re.compile(r"\$\{\{\s*(hashFiles\(.*?\))\s*\}\}", re.IGNORECASE)


def add_action(job: Job, step: Node, uses: str) -> None:
    """Take over a `uses` step, or note that it is left out."""
    line = line_of(get(step, "uses"))
    action = uses.partition("@")[0].lower()
    repository = "/".join(action.split("/")[:2])
    if (handler := _HANDLERS.get(action)) is not None:
        handler(job, step)
    elif repository in TOOLS:
        version = _versions(get(step, "with"))
        job.notes.check(line, action, f"the worker must have {TOOLS[repository]}{version}", job.stage)
    elif repository in _WITHOUT_EFFECT:
        job.notes.moot(line, action, "has no effect here")
    else:
        job.notes.lost(line, f"uses: {uses}", "actions do not run here; the step is left out", job.stage)


def _versions(given: Node | None) -> str:
    found = [
        text_of(entry.node) for entry in entries(given) if entry.key.endswith(("-version", "toolchain", "version"))
    ]
    return f" {shown(found[0])}" if found and found[0] and "${{" not in found[0] else ""


def _checkout(job: Job, step: Node) -> None:
    job.notes.moot(line_of(get(step, "uses")), "actions/checkout", "each stage begins with a checkout")
    reasons = {
        "repository": "another repository is not checked out",
        "path": "the checkout lies in the workspace itself",
        "ref": "the commit of the run is checked out",
        "submodules": "submodules are not brought",
        "lfs": "LFS objects are not brought",
        "fetch-depth": "how much history comes is not chosen",
        "sparse-checkout": "all files are checked out",
    }
    for entry in entries(get(step, "with")):
        value = text_of(entry.node)
        if entry.key in reasons and value not in (None, "", "false", "1"):
            job.notes.lost(entry.place.line, f"checkout {entry.key}", reasons[entry.key], job.stage)


def _cache(job: Job, step: Node, *, policy: str | None = None) -> None:
    given, line = get(step, "with"), line_of(get(step, "uses"))
    paths = _lines(get(given, "path"))
    if left_out := [path for path in paths if outside(path)]:
        job.notes.lost(
            line, "actions/cache", f"{', '.join(left_out)} is outside of the checkout; it is not cached", job.stage
        )
    inside = [within(path) for path in paths if not outside(path) and not path.startswith("!")]
    if not inside:
        return
    try:
        scope = job.scope
        cache = {
            "key": _key(text_of(get(given, "key")) or "", scope),
            "paths": [as_text(path, scope) for path in inside],
        }
        restore = [_key(each, scope) for each in _lines(get(given, "restore-keys"))]
    except Unreadable as error:
        job.notes.lost(line, "actions/cache", f"its key cannot be said here ({error}); it is left out", job.stage)
        return
    more = {**({"restore_keys": restore} if restore else {}), **({"policy": policy} if policy else {})}
    job.stage.setdefault("cache", []).append({**cache, **more})


def _key(text: str, scope: Scope) -> str:
    """Return a key, with hashFiles() as `${hash:…}`."""
    hashes: list[str] = []

    def keep(match: re.Match[str]) -> str:
        hashes.append(_hash(match[1]))
        return f"\x00{len(hashes) - 1}\x00"

    rendered = as_text(_HASH.sub(keep, text), scope)
    return re.sub(r"\x00(\d+)\x00", lambda match: hashes[int(match[1])], rendered)


def _hash(call: str) -> str:
    tree = read_expression(call)
    if not isinstance(tree, Call) or not all(isinstance(each, Literal) for each in tree.arguments):
        raise Unreadable("hashFiles() of what is worked out is not known here")
    globs = [each.text.removeprefix("./") for each in tree.arguments if isinstance(each, Literal)]
    return "${hash:" + ",".join(glob for each in globs for glob in each.split("\n") if glob.strip()) + "}"


def _upload(job: Job, step: Node) -> None:
    given, line = get(step, "with"), line_of(get(step, "uses"))
    condition = text_of(get(step, "if"))
    if condition and condition.strip("${} ") not in (
        "always()",
        "success()",
        "!cancelled()",
        "failure()",
        "success() || failure()",
    ):
        job.notes.lost(line, "upload-artifact if", f"kept whatever {condition} says", job.stage)
    name, days = text_of(get(given, "name")), text_of(get(given, "retention-days"))
    paths = _lines(get(given, "path"))
    for path in paths:
        if outside(path) or path.startswith("!"):
            job.notes.lost(line, "upload-artifact path", f"{path} is left out", job.stage)
            continue
        artifact = {"path": within(path)}
        try:
            artifact["path"] = as_text(artifact["path"], job.scope)
            if name:
                taken = {each.get("name") for each in job.stage.get("artifacts", ())}
                artifact["name"] = fit_name(as_text(name, job.scope), taken)
        except Unreadable as error:
            job.notes.lost(line, "upload-artifact", f"{error}; it is left out", job.stage)
            continue
        if kept := whole_of(days):
            artifact["retention"] = f"{min(kept, 365)}d"
        job.stage.setdefault("artifacts", []).append(artifact)


def _download(job: Job, step: Node) -> None:
    line = line_of(get(step, "uses"))
    job.notes.moot(line, "download-artifact", "a stage has the artifacts of those it depends on")
    if not job.stage["depends_on"]:
        job.notes.lost(line, "download-artifact", "the stage depends on none that could have kept it", job.stage)
    if path := text_of(get(step, "with", "path")):
        job.notes.lost(
            line, "download-artifact path", f"files come where they were kept from, not to {path}", job.stage
        )


def _lines(node: Node | None) -> list[str]:
    return [line.strip() for line in (text_of(node) or "").split("\n") if line.strip()]


def _restore(job: Job, step: Node) -> None:
    _cache(job, step, policy="pull")


def _save(job: Job, step: Node) -> None:
    _cache(job, step, policy="push")


_HANDLERS: Final[dict[str, Handler]] = {
    "actions/checkout": _checkout,
    "actions/cache": _cache,
    "actions/cache/restore": _restore,
    "actions/cache/save": _save,
    "actions/upload-artifact": _upload,
    "actions/download-artifact": _download,
}
