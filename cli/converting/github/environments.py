"""The `env` of a workflow, a job or a step: what Headrace sets for the steps, and what their scripts export."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.pipelines.definition import RESERVED_NAMES
from app.pipelines.definition.tree import Mapping, Node
from cli.converting.github.contexts import Scope, secret_name
from cli.converting.github.templates import as_shell_text, has_template
from cli.converting.notes import Notes
from cli.converting.shaping import fit_variable
from cli.converting.source import entries, line_of, text_of

LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Environment:
    """`plain` is for the definition, `exports` for the scripts (shell text by name), `secrets` what those read."""

    plain: dict[str, str] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def over(self, outer: Environment) -> Environment:
        """Return what the scripts within both must export, and the secrets they read; `plain` is this level's own."""
        hidden = {name: value for name, value in outer.exports.items() if name not in self.plain}
        return Environment(self.plain, {**hidden, **self.exports}, outer.secrets | self.secrets)

    def scope(self, outer: Scope) -> Scope:
        """Return the scope in which these are known."""
        return outer.with_variables(frozenset(self.plain) | self.secrets, frozenset(self.exports))


def read_environment(node: Node | None, scope: Scope, notes: Notes) -> Environment:
    """Return what an `env` says."""
    if node is not None and not isinstance(node, Mapping):
        notes.lost(line_of(node), "env", "is worked out; it is left out")
    plain, exports, secrets = dict[str, str](), dict[str, str](), set[str]()
    for entry in entries(node):
        name, value = fit_variable(entry.key), text_of(entry.node) or ""
        if (secret := _same_secret(value)) == name:
            secrets.add(name)
        elif secret or has_template(value) or _must_be_exported(name, value):
            rendered = as_shell_text(value, scope)
            if rendered.unread:
                notes.lost(entry.place.line, f"env {name}", f"{rendered.unread[0]} is not known here; it is left out")
                continue
            exports[name] = rendered.text
            secrets |= rendered.secrets
        else:
            plain[name] = value
    return Environment(plain, exports, frozenset(secrets))


def _same_secret(value: str) -> str | None:
    text = value.strip()
    is_one = text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1
    return secret_name(text[3:-2].strip()) if is_one else None


def _must_be_exported(name: str, value: str) -> bool:
    return name in RESERVED_NAMES or name.startswith("MATRIX_") or len(value) > LONGEST_VALUE
