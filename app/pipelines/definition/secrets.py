"""Which names a secret may have, and which secrets a step may name."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from app.pipelines.definition.faults import Faults, child, item
from app.pipelines.definition.variables import RESERVED_NAMES, RESERVED_PREFIX

LOADER_NAMES: Final = frozenset(
    (
        *("GCONV_PATH", "GLIBC_TUNABLES", "LD_AUDIT", "LD_DEBUG", "LD_DEBUG_OUTPUT", "LD_LIBRARY_PATH", "LD_PRELOAD"),
        *("LD_PROFILE", "LD_PROFILE_OUTPUT", "LOCPATH"),
    )
)
"""Variables that steer any program: a sandbox may have to give them by a command line, which others can see."""


def find_secret_name_fault(name: str) -> str | None:
    """What is wrong with a name that fits the form of a variable's, or None."""
    if name in RESERVED_NAMES or name == "CI":
        return "is the name of a built-in variable"
    if name.startswith(RESERVED_PREFIX):
        return f"begins with {RESERVED_PREFIX}, which names the axes of a matrix"
    return "is a variable that the system's loader reads" if name in LOADER_NAMES else None


def check_secrets(step: Mapping[str, Any], path: str, variables: Collection[str], faults: Faults) -> None:
    """Add what is wrong with the secrets of the step at `path`, which finds `variables` in its environment."""
    seen: set[str] = set()
    for index, name in enumerate(step.get("secrets", ())):
        own = item(child(path, "secrets"), index)
        if name in seen:
            faults.add(own, "is named twice")
        elif name in variables:
            faults.add(own, "is a variable in the environment of this step too; one name cannot be both")
        elif name is not None:
            seen.add(name)
            if fault := find_secret_name_fault(name):
                faults.add(own, fault)
