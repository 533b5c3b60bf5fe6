"""The one spelling of a definition: short forms, synonyms and implied values are resolved here, and here only."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.pipelines.definition.faults import Faults, child, item

Draft = dict[str, Any]

_SHELL_CONFIG: Final = ("command", "script", "working_directory", "environment", "disable_deployment_detection")
_MOVED: Final = ("type", "run", "command", "args", "environment", "working_directory", "config")


def normalise(draft: Draft, faults: Faults) -> Draft:
    """The draft of a pipeline in the stored form's spelling; where something is invalid it is merely incomplete."""
    kept = {key: value for key, value in draft.items() if key not in ("variables", "type")}
    kept["environment"] = _merge_environment(draft, faults)
    kept["triggers"] = [_normal_trigger(each) for each in draft.get("triggers", ())]
    if "include" in draft:
        kept["include"] = _normal_include(draft["include"])
    kept["stages"] = list(_normal_stages(draft.get("stages") or (), faults))
    return kept


def _merge_environment(draft: Draft, faults: Faults) -> Draft:
    environment, variables = draft.get("environment") or {}, draft.get("variables") or {}
    for name in environment.keys() & variables.keys():
        faults.add(child("variables", name), "is given in environment too")
    return {**environment, **variables}


def _normal_include(include: Any) -> list[Any]:
    listed = include if isinstance(include, list) else [include]
    return [each.get("path") if isinstance(each, dict) else each for each in listed]


def _normal_trigger(trigger: str | Draft | None) -> Draft | None:
    return {"trigger_type": trigger} if isinstance(trigger, str) else trigger


def _normal_stages(stages: Iterable[Draft | None], faults: Faults) -> Iterable[Draft]:
    """A stage that does not say what it depends on depends on the one before it."""
    before: list[str] = []
    for index, stage in enumerate(stages):
        path = item("stages", index)
        stage = stage or {}
        depends_on = stage.get("depends_on", []) if faults.knows(child(path, "depends_on")) else before
        before = [stage["name"]] if "name" in stage else []
        artifacts = [{"path": each} if isinstance(each, str) else each for each in stage.get("artifacts", ())]
        steps = [
            _normal_step(step or {}, item(child(path, "steps"), place), faults)
            for place, step in enumerate(stage.get("steps") or ())
        ]
        reports = {kind: [each] if isinstance(each, str) else each for kind, each in stage.get("reports", {}).items()}
        kept = {"artifacts": artifacts, **({"reports": reports} if reports else {})}
        if isinstance(target := stage.get("deploys_to"), str):
            kept["deploys_to"] = {"name": target}
        if isinstance(label := stage.get("runs_on"), str):
            kept["runs_on"] = [label]
        yield {**stage, "depends_on": depends_on, **kept, "steps": steps}


def _normal_step(step: Draft, path: str, faults: Faults) -> Draft:
    config = step.get("config") or {}
    written = _Spellings(step, config, path, faults)
    normal = {key: value for key, value in step.items() if key not in _MOVED}
    normal["step_type"] = written.only("step_type", "type") or "shell"
    normal["environment"] = written.only("environment", "config.environment") or {}
    normal["working_directory"] = written.only("working_directory", "config.working_directory") or "."
    normal["config"] = {key: value for key, value in config.items() if key not in _SHELL_CONFIG}
    return {**normal, **_normal_command(step, written, path, faults)}


def _normal_command(step: Draft, written: "_Spellings", path: str, faults: Faults) -> Draft:
    text = written.only("run", "command", "config.script", "config.command")
    if "args" not in step:
        return {"run": text}
    if "command" not in step:
        faults.add(child(path, "args"), "are arguments of command, which this step does not have")
    return {"command": text, "args": step["args"]}


class _Spellings:
    """The several places in which one step may say the same thing."""

    def __init__(self, step: Draft, config: Mapping[str, Any], path: str, faults: Faults) -> None:
        self._values = {**step, **{f"config.{key}": value for key, value in config.items()}}
        self._path = path
        self._faults = faults

    def only(self, *spellings: str) -> Any:
        """The value under the one of `spellings` that was used; a fault at each further one."""
        used = [spelling for spelling in spellings if self._faults.knows(f"{self._path}.{spelling}")]
        for further in used[1:]:
            self._faults.add(f"{self._path}.{further}", f"says the same as {used[0]}; give one of them")
        return self._values.get(used[0]) if used else None
