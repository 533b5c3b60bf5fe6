"""Scripts that find under the old names what Headrace calls otherwise: exports written before their first line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_NAME: Final = re.compile(r"\$\{?#?([A-Za-z_][A-Za-z0-9_]*)")
_MARK: Final = "HEADRACE_SCRIPT"


def names_in(script: str) -> set[str]:
    """Return the names of the variables that a script reads by `$NAME` or `${NAME…}`."""
    return set(_NAME.findall(script))


def with_exports(script: str, exports: Mapping[str, str], cleared: Iterable[str] = ()) -> str:
    """Return the script behind a line for each export; the values are shell text for double quotes.

    `cleared` are variables whose value `false` stands for none.
    """
    lines = [f'[ "${name}" != false ] || {name}=' for name in cleared]
    lines += [f'export {name}="{value}"' for name, value in exports.items()]
    return "\n".join((*lines, script.strip("\n"))) + "\n"


def in_double_quotes(text: str) -> str:
    """Return literal text as it is written between double quotes of a shell."""
    return re.sub(r'([\\"`$])', r"\\\1", text)


def fed_to(program: str, script: str) -> str:
    """Return the shell text that gives a script to a program by its standard input."""
    return f"{program} <<'{_MARK}'\n{script.strip(chr(10))}\n{_MARK}\n"
