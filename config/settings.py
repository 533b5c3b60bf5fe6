"""Settings: one typed object, read from the environment at start; a wrong value ends the start with one clear line.

Every setting may also be given as `NAME_FILE`, the path of a file that holds it (a mounted secret).
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from config.values import KUBERNETES, convert_value, find_container_faults, find_value, read_labels

REQUIRED = ""
PLANS = ("free", "standard", "pro", "enterprise")
NEEDED = ("database_url", "redis_url", "secret_key")


class SettingsInvalid(SystemExit):
    """Some settings are missing or wrong; the message names each."""


def setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    """Declare a setting: its default, what it does, and whether it must never be shown."""
    return field(default=default, metadata={"help": help_text, "secret": secret})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that may differ between two installations. The environment's name is the field's, in capitals."""

    environment: Literal["development", "production"] = setting("production", "`development` relaxes cookie security")
    database_url: str = setting(REQUIRED, "PostgreSQL, as `postgresql://user:password@host/name`", secret=True)
    redis_url: str = setting(REQUIRED, "Redis or Valkey: streams, limits and, by default, the broker", secret=True)
    broker_url: str = setting("", "Celery's broker when it is not `REDIS_URL`, such as `amqp://…`", secret=True)
    secret_key: str = setting(REQUIRED, "at least 32 random characters; encrypts what is secret at rest", secret=True)
    secret_key_old: str = setting(
        "",
        "the values `SECRET_KEY` had before, one a line; they still open what they have encrypted",
        secret=True,
    )
    data_dir: Path = setting(Path("data"), "where logs, artifacts and workspaces live by default")
    run_dir: Path = setting(Path("run"), "where sockets live")

    host: str = setting("127.0.0.1", "address the API listens on")
    port: int = setting(8000, "port the API listens on")
    public_url: str = setting("http://127.0.0.1:8000", "the base URL clients use")
    web_workers: int = setting(2, "processes of the API")
    web_threads: int = setting(8, "threads of each API process")
    web_connections: int = setting(
        0, "database connections of each API process; 0 is one less than its threads, so that one can always answer"
    )
    web_connection_seconds: float = setting(2.0, "how long a request waits for a free connection before it gets a 503")
    web_statement_seconds: float = setting(10.0, "how long a statement of a request may take before it gets a 503")
    trusted_proxies: int = setting(0, "reverse proxies in front whose X-Forwarded-* headers are believed")
    cors_origins: str = setting("", "origins whose pages may call the API, separated by commas")
    max_body_bytes: int = setting(2 * 1024 * 1024, "largest request body")
    metric_body_bytes: int = setting(
        32 * 1024 * 1024, "largest body of a request that brings samples or series to be scanned"
    )
    stream_socket: Path = setting(Path("run/stream.sock"), "where the API hands open streams to the stream process")
    max_streams: int = setting(20_000, "open streams a stream process accepts")
    max_websockets_per_client: int = setting(10, "open WebSockets of one user or key")

    flower_url: str = setting("", "where operators find Flower; shown by the API, not used otherwise")
    admin_username: str = setting("admin", "the first administrator, made by the release step")
    admin_email: str = setting("admin@example.com", "the first administrator's address")
    admin_password: str = setting("", "the first administrator's password; empty makes none", secret=True)

    access_token_seconds: int = setting(900, "life of an access token")
    refresh_token_seconds: int = setting(7 * 86400, "life of a refresh token; each refresh starts it anew")
    registration_open: bool = setting(True, "whether anyone may register")
    rate_limits: bool = setting(True, "whether requests are limited")
    rate_limit_anonymous: str = setting("1000/hour", "requests of a caller who is not logged in, per address")
    rate_limit_user: str = setting("5000/hour;100/minute", "requests of a user or key")
    rate_limit_login: str = setting("5/15minutes", "logins per address and account")
    rate_limit_register: str = setting("3/hour", "registrations per address")
    rate_limit_mail: str = setting("5/hour", "mails somebody may ask for, per address and account")
    rate_limit_refresh: str = setting(
        "10/minute", "token refreshes per address, and logins by an application's own code or id token"
    )
    rate_limit_client: str = setting(
        "100/hour", "registrations of client applications per address, and logins of users per application and address"
    )
    rate_limit_message: str = setting("1000/hour", "messages of a user or key to rooms")
    rate_limit_runner: str = setting("6000/minute", "requests of a runner")
    rate_limit_webhook: str = setting("1200/minute", "deliveries of code hosts per address")

    oauth_providers: str = setting(
        "",
        "where people may log in as well, as JSON: "
        '`{"github": {"client_id": "…", "client_secret": "…"}, "google": {…}, "corp": {…, "issuer": "https://…"}}`',
        secret=True,
    )
    smtp_url: str = setting(
        "",
        "where mails go: `smtp://user:password@host:587` (STARTTLS), `smtps://…` (TLS) or `smtp+plain://…` (neither); "
        "without it they are written to `DATA_DIR/mail` in development, and fail in production",
        secret=True,
    )
    mail_from: str = setting("Headrace <headrace@localhost>", "whom mails are from")

    job_lease_seconds: float = setting(30.0, "how long a silent worker keeps its job")
    job_poll_seconds: float = setting(0.25, "how often running work looks whether it was cancelled")
    job_stop_seconds: float = setting(20.0, "how long a worker that is stopped lets jobs end before it hands them back")
    job_history_days: int = setting(30, "how long ended jobs and their events are kept")
    job_change_days: int = setting(90, "how long the history of jobs is kept, in whole weeks")
    audit_days: int = setting(365, "how long the audit log is kept, in whole weeks")
    job_archive_url: str = setting(
        "", "where weeks of these two are written before they are dropped; any fsspec address", secret=True
    )
    runner_lease_seconds: float = setting(60.0, "how long a silent runner keeps its stage")
    runner_wait_seconds: float = setting(86_400.0, "how long a stage waits for a runner with its labels")
    runner_bytes: int = setting(8 * 1024**3, "all that a runner may send of one attempt of a stage, logs and files")
    places_free: int = setting(
        5, "jobs of one organization of this plan that may be with the workers of a queue at once; 0 sets no limit"
    )
    places_standard: int = setting(20, "the same for the plan `standard`, which every organization begins with")
    places_pro: int = setting(50, "the same for the plan `pro`")
    places_enterprise: int = setting(0, "the same for the plan `enterprise`")
    executions_free: int = setting(50, "unfinished executions an organization of this plan may have; 0 sets no limit")
    executions_standard: int = setting(2_000, "the same for the plan `standard`")
    executions_pro: int = setting(10_000, "the same for the plan `pro`")
    executions_enterprise: int = setting(0, "the same for the plan `enterprise`")
    message_retention_days: int = setting(365, "days messages are kept where an application says nothing; 0: for ever")
    relay_interval_seconds: float = setting(2.0, "how often lost messages and expired leases are looked for")
    relay_resend_seconds: float = setting(30.0, "after how long a queued job nobody claimed is sent again")

    log_store_url: str = setting("", "step logs; any fsspec address, by default a folder of `DATA_DIR`", secret=True)
    artifact_store_url: str = setting(
        "", "artifacts; any fsspec address, by default a folder of `DATA_DIR`", secret=True
    )
    work_dir: Path | None = setting(None, "where checkouts live while a stage runs; by default in `DATA_DIR`")
    sandbox: Literal["auto", "bubblewrap", "plain"] = setting("auto", "how steps are confined; `auto` takes the best")
    container_engine: str = setting(
        "",
        "what runs steps with an `image`: a Docker or podman API, as `unix:///run/docker.sock` or `tcp://host:2375` "
        "(whoever may use it is root on its host), or `kubernetes`: pods in the workspaces' namespaces. Without it "
        "such steps are refused",
    )
    container_image: str = setting("", "image of steps that name none; without it they run in `SANDBOX`")
    container_images: str = setting(
        "", "images that may be used, as globs such as `python:*`, separated by commas; without any all may be"
    )
    container_pull: Literal["if-missing", "always", "never"] = setting(
        "if-missing", "when images are fetched; private ones that are there already can be used by every workspace"
    )
    container_work_dir: Path | None = setting(
        None, "`WORK_DIR` as the engine sees it, where that is another path: a worker in a container of its own"
    )
    kubernetes_helper_image: str = setting(
        "busybox:1.36", "image that carries files to and from the pods of stages: `sh`, `tar`, `head` and `find`"
    )
    kubernetes_node_selector: str = setting(
        "", "labels that a node must have for the pods of stages, as `pool=builds,arch=amd64`"
    )
    kubernetes_start_seconds: float = setting(
        300.0, "how long the pod of a stage may wait for a node, its images and room in its workspace's quota"
    )
    sandbox_read_only: str = setting("", "further paths that steps may read, separated by colons")
    step_uid: int = setting(0, "user id of steps where the platform runs as root; 0 leaves them the platform's own")
    step_path: str = setting("", "folders put in front of the PATH of steps, separated by colons")
    step_network: bool = setting(True, "whether steps may use the network at all")
    step_memory_bytes: int = setting(2 * 1024**3, "memory of a step")
    step_processes: int = setting(512, "processes of a step")
    step_cpus: float = setting(0.0, "processor cores of a step; 0 sets no limit")
    step_file_bytes: int = setting(1024**3, "largest file a step may write")
    step_disk_bytes: int = setting(4 * 1024**3, "disk a stage's workspace may fill")
    step_timeout_seconds: int = setting(21_600, "longest time of a step, whatever its pipeline says")
    artifact_bytes: int = setting(1024**3, "largest sum of one stage's artifacts")
    cache_bytes: int = setting(2 * 1024**3, "largest cache of a stage, before it is compressed")
    cache_workspace_bytes: int = setting(10 * 1024**3, "caches of a workspace; those unused longest go first")
    cache_days: int = setting(7, "how long a cache that nobody uses is kept")
    allow_file_repositories: bool = setting(False, "whether repositories may be `file://` addresses")
    allow_private_addresses: bool = setting(False, "whether repositories and webhooks may be on private networks")
    allow_private_clusters: bool = setting(False, "whether clusters may be on private networks")
    allow_loopback_clusters: bool = setting(False, "whether clusters may be on the platform's own machine")
    allow_unverified_clusters: bool = setting(False, "whether a cluster's certificate may go unverified")
    allow_local_clusters: bool = setting(False, "whether workers may run clusters in containers of their own machine")
    cluster_check_seconds: float = setting(60.0, "how often a cluster that is well is checked")
    cluster_check_timeout_seconds: float = setting(5.0, "how long one check may take")
    cluster_check_longest_seconds: float = setting(600.0, "longest pause between two checks of a cluster that fails")
    cluster_check_failures: int = setting(3, "failed checks in a row that make a cluster's status `error`")
    cluster_inventory_seconds: float = setting(120.0, "how often what is on a cluster is listed")
    cluster_inventory_objects: int = setting(2000, "objects of a kind that the inventory of a cluster may hold")
    cluster_watches: int = setting(32, "kinds of objects of clusters that a sweep watches at once; 0 only lists")
    webhook_timeout_seconds: float = setting(15.0, "how long the receiver of a webhook may take to answer")
    webhook_schedule: str = setting("5,300,1800,7200,18000,36000,36000", "seconds before each further try of a webhook")
    webhook_disable_seconds: int = setting(432_000, "after how long without a success a webhook is turned off")
    webhook_ports: str = setting("", "ports of webhooks, as `443,8000-8999`; else those of docs/webhooks.md")
    webhook_days: int = setting(30, "how long deliveries of webhooks are kept")
    kubeconfig_seconds: int = setting(3600, "life of the token in a member's kubeconfig of a workspace")
    metric_series: int = setting(50_000, "series that an organization may have; 0 sets no limit")
    metric_days: int = setting(15, "how long samples are kept after they were written, in whole weeks")
    metric_rollup_days: int = setting(400, "how long their roll-ups are kept, and series that nobody writes to")
    scan_days: int = setting(30, "how long the scores of anomaly scans are kept, in whole weeks; anomalies stay")
    provisioning_days: int = setting(90, "how long ended operations on workspaces, and repairs in them, are kept")
    verify_image: str = setting("registry.k8s.io/pause:3.9", "image of the pod that tries a new workspace's namespace")

    vcluster_address: str = setting("", "where virtual clusters are (`https://{name}.example.com`); empty: none")
    vcluster_ingress_class: str = setting("nginx", "ingress class that hands TLS through to them")
    vcluster_image: str = setting("ghcr.io/loft-sh/vcluster-oss:0.24.1", "image of their control plane")
    vcluster_kubernetes_image: str = setting("ghcr.io/loft-sh/kubernetes:v1.32.1", "what brings their Kubernetes")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "least level that is logged")
    log_format: Literal["text", "json"] = setting("text", "form of the log lines")
    metrics_token: str = setting(
        "", "what Prometheus sends as bearer token to read `/metrics`; empty opens it in development alone", secret=True
    )
    otel_traces_exporter: str = setting("", "`otlp` or `console` switches traces on, `none` off")
    otel_exporter_otlp_endpoint: str = setting("", "the OpenTelemetry collector; naming it switches traces on")
    otel_exporter_otlp_traces_endpoint: str = setting("", "the same for traces alone, as a whole address")
    otel_sdk_disabled: bool = setting(False, "switches traces off, whatever else is set")
    otel_service_name: str = setting("headrace", "what traces call this installation")

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The key that encrypts, and those before it."""
        return (self.secret_key, *self.secret_key_old.splitlines())

    @property
    def broker(self) -> str:
        """The broker's address."""
        return self.broker_url or self.redis_url

    @property
    def log_store(self) -> str:
        """The address of the log store."""
        return self.log_store_url or f"file://{self.data_dir.resolve()}/logs"

    @property
    def artifact_store(self) -> str:
        """The address of the artifact store."""
        return self.artifact_store_url or f"file://{self.data_dir.resolve()}/artifacts"

    @property
    def workspaces(self) -> Path:
        """The folder of the checkouts."""
        return (self.work_dir or self.data_dir / "work").resolve()

    @property
    def runs_in_pods(self) -> bool:
        """Whether steps with an image run in pods."""
        return self.container_engine == KUBERNETES

    @property
    def node_selector(self) -> dict[str, str]:
        """The labels that a node must have for the pods of stages."""
        return read_labels(self.kubernetes_node_selector)

    @property
    def plan_places(self) -> dict[str, int]:
        """The places of an organization in each queue, by its plan."""
        amounts = (self.places_free, self.places_standard, self.places_pro, self.places_enterprise)
        return dict(zip(PLANS, amounts, strict=True))

    @property
    def plan_executions(self) -> dict[str, int]:
        """The unfinished executions of an organization, by its plan."""
        amounts = (self.executions_free, self.executions_standard, self.executions_pro, self.executions_enterprise)
        return dict(zip(PLANS, amounts, strict=True))

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's own machine."""
        return self.environment == "development"


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read all settings; raises SettingsInvalid (which ends the process) naming everything that is wrong."""
    source = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    faults: list[str] = []
    hints = typing.get_type_hints(Settings)
    for declared in dataclasses.fields(Settings):
        name = declared.name.upper()
        try:
            text = find_value(source, name)
            if text is not None:
                values[declared.name] = convert_value(text, hints[declared.name])
            elif declared.name in NEEDED:
                faults.append(f"{name} is not set: {declared.metadata['help']}")
        except (ValueError, OSError) as error:
            faults.append(f"{name}: {error}")
    if len(values.get("secret_key", "x" * 32)) < 32:
        faults.append("SECRET_KEY is shorter than 32 characters")
    if any(len(key) < 32 for key in values.get("secret_key_old", "").splitlines()):
        faults.append("a key of SECRET_KEY_OLD is shorter than 32 characters")
    faults += find_container_faults(values)
    if faults:
        raise SettingsInvalid("headrace cannot start: " + "; ".join(faults))
    return Settings(**values)
