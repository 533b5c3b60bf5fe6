"""The walk itself: register, log in, workspace, pipeline, execution, its live log, its end."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from launcher.demo.api import Api
from launcher.demo.follow import Follower
from launcher.demo.repository import Source
from launcher.demo.screen import Screen
from launcher.home import Run
from launcher.processes import LaunchError


@dataclass
class Demo:
    """One demonstration against a platform that is ready."""

    run: Run
    source: Source
    screen: Screen = field(default_factory=Screen)

    def walk(self) -> bool:
        """Does what a user would do; returns whether the execution succeeded. Raises Refused and ContactLost."""
        api = self._log_in()
        workspace = self._make_workspace(api)
        execution = self._start(api, self._make_pipeline(api, workspace["id"]))
        Follower(api, self.screen, execution).follow()
        return self._sum_up(api, execution["id"])

    def _log_in(self) -> Api:
        api = Api(self.run["api"])
        login = {"username": f"demo-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(18)}
        api.post("/auth/register", {**login, "email": f"{login['username']}@example.com"})

        def log_in() -> str:
            return str(api.post("/auth/login", login).data["access_token"])

        api.token = log_in()
        # An access token lives for minutes, a pipeline perhaps for hours.
        api.renew = log_in
        self.screen.say(f"Registered and logged in as {login['username']}")
        return api

    def _make_workspace(self, api: Api) -> dict[str, Any]:
        wanted = {"name": self.source.name[:100], "repository_url": self.source.url}
        if self.source.branch:
            wanted["branch"] = self.source.branch
        workspace: dict[str, Any] = api.post("/workspaces", wanted).data
        self.screen.say(f"Made a workspace for {self.source.url}, {self.source.branch or 'no branch'}")
        for remark in self.source.remarks:
            self.screen.say(remark, "yellow")
        return workspace

    def _make_pipeline(self, api: Api, workspace_id: str) -> str:
        path = f"/workspaces/{workspace_id}/pipelines"
        pipeline = api.post(path, self.source.definition, Content_Type="application/yaml").data
        self.screen.say(f"Made the pipeline {pipeline['name']} of headrace.yml at {self.source.commit[:12]}")
        return str(pipeline["id"])

    def _start(self, api: Api, pipeline_id: str) -> dict[str, Any]:
        wanted = {"trigger": "manual"}
        wanted |= {"branch": self.source.branch} if self.source.branch else {"commit_sha": self.source.commit}
        path = f"/pipelines/{pipeline_id}/executions"
        reply = api.post(path, wanted, Idempotency_Key=secrets.token_hex(16))
        self.screen.say(f"POST /api/v1{path}", "bold")
        self.screen.say(reply.status_line, "bold")
        self.screen.say(f"Location: {reply.headers.get('Location')}")
        self.screen.say(f"Job {reply.data['job_id']}")
        execution: dict[str, Any] = reply.data
        return execution

    def _sum_up(self, api: Api, execution_id: str) -> bool:
        execution = api.get(f"/executions/{execution_id}").data
        rows = [
            [stage["name"], step["name"], step["status"].replace("_", " "), seconds_of(step)]
            for stage in execution["stages"]
            for step in stage["steps"]
        ]
        self.screen.say()
        self.screen.show_table(["Stage", "Step", "Status", "Time"], rows, status_column=2)
        artifacts = api.get(f"/executions/{execution_id}/artifacts?limit=100").data
        if artifacts:
            kept = [[item["name"], f"{item['size']} bytes", item["sha256"][:16]] for item in artifacts]
            self.screen.show_table(["Artifact", "Size", "SHA-256"], kept)
        else:
            self.screen.say("No artifacts")
        self._tell_end(execution)
        return bool(execution["status"] == "succeeded")

    def _tell_end(self, execution: dict[str, Any]) -> None:
        error = execution.get("error")
        remark = f": {error['message']}" if error else f" in {seconds_of(execution)}"
        self.screen.show_status("The execution", execution["status"], remark)
        self.screen.say(f"  API      {self.run['api']}/api/v1/executions/{execution['id']}")
        self.screen.say(f"  Docs     {self.run['api']}/docs")
        self.screen.say(f"  Flower   {self.run['flower']}  (user {self.run['admin']['username']})")


class Walking(threading.Thread):
    """A demo in a thread, so that the main thread can look after the platform; leaving the block silences it."""

    def __init__(self, demo: Demo) -> None:
        super().__init__(daemon=True)
        self._demo = demo
        self._ended = self._succeeded = False
        self._error = LaunchError("the demo broke off")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._demo.screen.close()

    def run(self) -> None:
        """The thread's work."""
        try:
            self._succeeded = self._demo.walk()
            self._ended = True
        except LaunchError as error:
            self._error = error

    def outcome(self) -> int:
        """The exit code: 0 when the execution succeeded. Raises what ended the demo before it could tell."""
        if not self._ended:
            raise self._error
        return 0 if self._succeeded else 1


def seconds_of(item: dict[str, Any]) -> str:
    """How long something ran, by its two timestamps."""
    if not item.get("started_at") or not item.get("finished_at"):
        return "-"
    started, finished = (datetime.fromisoformat(item[name]) for name in ("started_at", "finished_at"))
    return f"{(finished - started).total_seconds():.1f} s"
