"""The file as GitLab sees it: `extends` merged, `!reference` followed, within bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.pipelines.definition.tree import MAX_NODES, Entry, Listing, Mapping, Node
from cli.converting.notes import NotConvertible, Notes
from cli.converting.source import Source, entries, get, read_tree, texts

REFERENCE: Final = "!reference"
DEEPEST: Final = 11


def read_file(source: Source, notes: Notes) -> Mapping:
    """Return the file's map; a header of inputs before it is left out. Raises NotConvertible."""
    lines = source.text.split("\n")
    if (end := _end_of_header(lines)) is not None:
        notes.lost(1, "spec", "inputs are not known here; their places stand in the text still")
        source = Source(source.name, "\n".join((*[""] * end, *lines[end:])))
    return read_tree(source, notes, frozenset({REFERENCE}))


def _end_of_header(lines: list[str]) -> int | None:
    """Return how many lines the header of inputs takes, its `---` included, or None where there is none."""
    said = [number for number, line in enumerate(lines) if line.strip() and not line.startswith(("#", "---"))]
    if not said or not lines[said[0]].startswith("spec:"):
        return None
    return next((number + 1 for number in range(said[0], len(lines)) if lines[number].startswith("---")), None)


class Resolver:
    """Follows what jobs take from each other. The work it may do is bounded: references may multiply a file."""

    def __init__(self, root: Mapping, notes: Notes) -> None:
        self._root = root
        self._notes = notes
        self._left = 10 * MAX_NODES

    def job(self, name: str) -> Mapping:
        """Return a job with all that it extends, and no references left."""
        merged = self._extended(name, ())
        resolved = self._resolve(merged, 0)
        return resolved if isinstance(resolved, Mapping) else merged

    def resolved(self, node: Node) -> Node:
        """Return any other part of the file with no references left."""
        return self._resolve(node, 0)

    def _extended(self, name: str, below: tuple[str, ...]) -> Mapping:
        own = get(self._root, name)
        if not isinstance(own, Mapping):
            raise NotConvertible(f"{name} is no job")
        if name in below or len(below) > DEEPEST:
            raise NotConvertible(f"{name} extends itself, or too many others", own.place.line)
        merged: Mapping | None = None
        for parent in texts(get(own, "extends")):
            if not isinstance(get(self._root, parent), Mapping):
                line = own.entries["extends"].place.line
                self._notes.lost(line, "extends", f"{parent} is not in this file; {name} lacks what it says")
                continue
            base = self._extended(parent, (*below, name))
            merged = base if merged is None else self._merged(merged, base)
        return own if merged is None else self._merged(merged, own)

    def _merged(self, base: Mapping, over: Mapping) -> Mapping:
        self._pay(len(base.entries) + len(over.entries))
        kept = {key: entry for key, entry in base.entries.items() if key != "extends"}
        for key, entry in over.entries.items():
            old = kept.get(key)
            if (
                old
                and isinstance(old.node, Mapping)
                and isinstance(entry.node, Mapping)
                and REFERENCE not in entry.node.entries
            ):
                kept[key] = replace(entry, node=self._merged(old.node, entry.node))
            else:
                kept[key] = entry
        return replace(over, entries=kept)

    def _resolve(self, node: Node, depth: int) -> Node:
        self._pay(1)
        if depth > 40:
            raise NotConvertible("has references that are nested too deeply", node.place.line)
        if isinstance(node, Listing):
            return replace(node, items=tuple(self._resolve(each, depth + 1) for each in node.items))
        if not isinstance(node, Mapping):
            return node
        if REFERENCE in node.entries:
            return self._follow(node, depth)
        return replace(
            node,
            entries={
                key: Entry(key, entry.place, self._resolve(entry.node, depth + 1))
                for key, entry in node.entries.items()
            },
        )

    def _follow(self, node: Mapping, depth: int) -> Node:
        path = texts(node.entries[REFERENCE].node)
        found: Node | None = self._root
        if path and isinstance(get(self._root, path[0]), Mapping):
            found, path = self._extended(path[0], ()), path[1:]
        found = get(found, *path)
        if found is None or found is self._root:
            self._notes.lost(node.place.line, REFERENCE, f"{'.'.join(path)} is not in this file; it is left out")
            return Listing((), node.place, 1, 0)
        return self._resolve(found, depth + 1)

    def _pay(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise NotConvertible("is too large once everything it extends is written out")


def is_hidden(entry: Entry) -> bool:
    """Tell whether a key of the file is a template rather than a job."""
    return entry.key.startswith(".")


def jobs_of(root: Mapping, keywords: frozenset[str]) -> list[Entry]:
    """Return the entries of the file that are jobs."""
    return [
        entry
        for entry in entries(root)
        if entry.key not in keywords and not is_hidden(entry) and isinstance(entry.node, Mapping)
    ]
