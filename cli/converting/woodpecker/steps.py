"""The steps of a workflow. They share a checkout and run in order, as they do here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.pipelines.definition import RESERVED_NAMES
from app.pipelines.definition.tree import Entry, Listing, Mapping, Node
from cli.converting.containers import give_image, give_service
from cli.converting.notes import Notes
from cli.converting.scripts import in_double_quotes, with_exports
from cli.converting.shaping import Tree, fit_name, fit_variable
from cli.converting.source import entries, flag_of, get, items, line_of, text_of, texts
from cli.converting.woodpecker.conditions import give, read_when
from cli.converting.woodpecker.variables import exports_for, unknown_in

_KNOWN: Final = frozenset(
    ("name", "image", "commands", "environment", "secrets", "when", "failure", "directory", "settings")
)
_LEFT_OUT: Final = {
    "detach": "is left out: the step is waited for",
    "volumes": "are not mounted",
    "privileged": "is not given",
}
_MOOT: Final = ("depends_on", "group", "pull")


def add_steps(node: Node | None, axes: frozenset[str], notes: Notes, stage: Tree) -> None:
    """Add the steps of a workflow, which are a list or, as they used to be, a map."""
    for name, step in _named(node):
        _add_step(name, step, axes, notes, stage)


def _named(node: Node | None) -> Iterator[tuple[str, Node]]:
    if isinstance(node, Mapping):
        yield from ((entry.key, entry.node) for entry in entries(node))
    elif isinstance(node, Listing):
        for each in items(node):
            yield text_of(get(each, "name")) or "step", each


def _add_step(name: str, step: Node, axes: frozenset[str], notes: Notes, stage: Tree) -> None:
    line, commands = line_of(step), texts(get(step, "commands"))
    image = text_of(get(step, "image")) or "none"
    if not commands:
        notes.lost(line, f"plugin {image}", f"plug-ins do not run here; the step {name} is left out", stage)
        return
    made: Tree = {"name": fit_name(name, {each["name"] for each in stage["steps"]})}
    give_image(made, _filled_in(image, axes), (), line, notes)
    exports, secrets = _environment(step, axes, notes, made)
    script = "\n".join(commands)
    whole = "\n".join((script, *exports.values()))
    for unknown in unknown_in(whole, {*exports, *secrets, *made["environment"], *axes}):
        notes.lost(line, unknown, "is not set here", made)
    give(read_when(get(step, "when"), axes, notes, made), made)
    made["continue_on_error"] = text_of(get(step, "failure")) == "ignore" or None
    made["working_directory"] = text_of(get(step, "directory"))
    made["secrets"] = sorted(secrets)
    made["run"] = with_exports(script, {**exports_for(whole, axes), **exports})
    _note_rest(step, notes, made)
    stage["steps"].append(made)


def _filled_in(text: str, axes: frozenset[str]) -> str:
    for axis in axes:
        text = text.replace(f"${{{axis}}}", f"${{matrix.{axis}}}")
    return text


def add_services(node: Node | None, axes: frozenset[str], notes: Notes, stage: Tree) -> None:
    """Add the services of a workflow."""
    for name, service in _named(node):
        image = _filled_in(text_of(get(service, "image")) or "", axes)
        given = {entry.key: text_of(entry.node) or "" for entry in _variables(get(service, "environment"))}
        plain = {key: value for key, value in given.items() if key.isidentifier()}
        if not give_service(stage, name, image, plain, ()):
            notes.lost(line_of(service), "services", f"{name} is not started; the worker must reach it", stage)


def _note_rest(step: Node, notes: Notes, made: Tree) -> None:
    for entry in entries(step):
        if entry.key in _MOOT:
            notes.moot(entry.place.line, entry.key, "steps run in the order of the file")
        elif entry.key in _LEFT_OUT:
            if flag_of(entry.node) is not False:
                notes.lost(entry.place.line, entry.key, _LEFT_OUT[entry.key], made)
        elif entry.key not in _KNOWN:
            notes.lost(entry.place.line, entry.key, "is not known here", made)


def _environment(step: Node, axes: frozenset[str], notes: Notes, made: Tree) -> tuple[dict[str, str], set[str]]:
    """Return what the script exports and the secrets it reads; what is plain goes to the step itself."""
    plain, exports, secrets = dict[str, str](), dict[str, str](), set[str]()
    for entry in _variables(get(step, "environment")):
        name = fit_variable(entry.key)
        if (secret := text_of(get(entry.node, "from_secret"))) is not None:
            _take_secret(secret, name, exports, secrets)
            continue
        value = text_of(entry.node) or ""
        if name in RESERVED_NAMES or name.startswith("MATRIX_") or any(f"${{{axis}}}" in value for axis in axes):
            exports[name] = in_double_quotes(value).replace("\\${", "${")
        else:
            plain[name] = value
    for each in items(get(step, "secrets")):
        source = text_of(each) or text_of(get(each, "source")) or ""
        _take_secret(source, fit_variable(text_of(get(each, "target")) or source.upper()), exports, secrets)
    for name in sorted(secrets):
        notes.check(line_of(step), f"secret {name}", "must be there, in the workspace or above")
    made["environment"] = {name: value for name, value in plain.items() if name not in secrets}
    return exports, secrets


def _take_secret(source: str, name: str, exports: dict[str, str], secrets: set[str]) -> None:
    secret = fit_variable(source)
    secrets.add(secret)
    if secret != name:
        exports[name] = f"${secret}"


def _variables(node: Node | None) -> list[Entry]:
    if isinstance(node, Mapping):
        return entries(node)
    found = []
    for each in items(node):
        found += entries(each)
    return found
