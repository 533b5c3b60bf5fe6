"""Puts a worker process together from its settings: database, Redis, stores, gateways."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from app import identity, jobs
from app.clusters import CheckRules
from app.kernel.addresses import AddressRules
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.opening import open_database, open_redis
from app.kernel.presence import Listeners
from app.kernel.stamp import Stamp
from app.kernel.store import BlobStore
from app.kernel.stream import RedisLive
from app.webhooks import Destinations, Patience, read_schedule
from config.settings import Settings
from tasks.identity.gateways import Mailer, choose_mailer, read_dkim_key
from tasks.pipelines.gateways.containers import Containers, DockerContainers, ImageRules, PodContainers, PodRules
from tasks.pipelines.gateways.git import GitSource
from tasks.pipelines.gateways.sandbox import Limits, choose_sandbox
from tasks.pipelines.gateways.statuses import HttpStatuses
from tasks.tools import CacheLimits, ClusterRules, MetricRules, StepDefaults, Tools, VirtualRules, WebhookRules
from workers.sender import CelerySender

# Of steps in pods, where nothing else is said: never root.
STEP_UID = 1000


def worker_name() -> str:
    """Return what the job row says of who holds it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def open_worker_database(settings: Settings, *, pool_size: int = 4) -> Database:
    """Return the database of a worker, whose own accepted jobs are sent like those of the API."""
    database = open_database(settings.database_url, open_redis(settings.redis_url), pool_size=pool_size)
    jobs.send_accepted(database, CelerySender.from_settings(settings))
    identity.tell_of_rights(database, Stamp.open(settings.redis_url, identity.RIGHTS))
    return database


def open_tools(settings: Settings) -> Tools:
    """Return what the deeds need of the outside world."""
    return Tools(
        vault=Vault(*settings.secret_keys),
        live=RedisLive(open_redis(settings.redis_url)),
        listeners=Listeners(open_redis(settings.redis_url)),
        log_store=BlobStore(settings.log_store),
        artifact_store=BlobStore(settings.artifact_store),
        source=GitSource(
            allow_file=settings.allow_file_repositories, allow_private_addresses=settings.allow_private_addresses
        ),
        installation=installation_of(settings),
        sandbox=choose_sandbox(
            settings.sandbox, extra_read_only=_paths(settings.sandbox_read_only), step_uid=settings.step_uid or None
        ),
        containers=choose_containers(settings),
        statuses=HttpStatuses(allow_private_addresses=settings.allow_private_addresses),
        workspaces=settings.workspaces,
        steps=_step_defaults(settings),
        caches=CacheLimits(settings.cache_bytes, settings.cache_workspace_bytes, settings.cache_days),
        clusters=_cluster_rules(settings),
        metrics=_metric_rules(settings),
        runner_wait_seconds=settings.runner_wait_seconds,
        webhooks=_webhook_rules(settings),
        history_days=settings.job_history_days,
        message_days=settings.message_retention_days,
        notification_days=settings.notification_days,
        access_token_seconds=settings.access_token_seconds,
        public_url=settings.public_url,
        mailer=_mailer(settings),
        change_days=settings.job_change_days,
        audit_days=settings.audit_days,
        archive=BlobStore(settings.job_archive_url) if settings.job_archive_url else None,
        kubeconfig_seconds=settings.kubeconfig_seconds,
        provisioning_days=settings.provisioning_days,
        verify_image=settings.verify_image,
        virtual=_virtual_rules(settings),
    )


def installation_of(settings: Settings) -> str:
    """Return what tells this installation's containers from those of another that uses the same engine."""
    return hashlib.sha256(settings.public_url.encode()).hexdigest()[:16]


def choose_containers(settings: Settings) -> Containers | None:
    """Return where steps with an image run, if anywhere."""
    if not settings.container_engine:
        return None
    allowed = [glob.strip() for glob in settings.container_images.split(",") if glob.strip()]
    rules = ImageRules(allowed, settings.container_pull)
    if settings.runs_in_pods:
        return PodContainers(installation=installation_of(settings), rules=rules, pods=_pod_rules(settings))
    return DockerContainers(
        settings.container_engine,
        installation=installation_of(settings),
        rules=rules,
        workspaces=settings.workspaces,
        seen_workspaces=settings.container_work_dir,
        scratch=settings.workspaces,
        step_uid=settings.step_uid or None,
        extra_read_only=_paths(settings.sandbox_read_only),
    )


def _metric_rules(settings: Settings) -> MetricRules:
    return MetricRules(
        sample_days=settings.metric_days,
        rollup_days=settings.metric_rollup_days,
        score_days=settings.scan_days,
        series=settings.metric_series,
        addresses=AddressRules(settings.allow_private_addresses, settings.allow_private_addresses),
    )


def _pod_rules(settings: Settings) -> PodRules:
    return PodRules(
        addresses=_cluster_addresses(settings),
        helper_image=settings.kubernetes_helper_image,
        start_seconds=settings.kubernetes_start_seconds,
        step_uid=settings.step_uid or STEP_UID,
        node_selector=settings.node_selector,
    )


def _cluster_addresses(settings: Settings) -> AddressRules:
    return AddressRules(settings.allow_private_clusters, settings.allow_loopback_clusters)


def _cluster_rules(settings: Settings) -> ClusterRules:
    return ClusterRules(
        _cluster_addresses(settings),
        settings.allow_unverified_clusters,
        CheckRules(
            interval=settings.cluster_check_seconds,
            timeout=settings.cluster_check_timeout_seconds,
            longest=settings.cluster_check_longest_seconds,
            failures=settings.cluster_check_failures,
            inventory_interval=settings.cluster_inventory_seconds,
            inventory_limit=settings.cluster_inventory_objects,
            watches=settings.cluster_watches,
        ),
    )


def _virtual_rules(settings: Settings) -> VirtualRules:
    return VirtualRules(
        settings.vcluster_address,
        settings.vcluster_ingress_class,
        settings.vcluster_image,
        settings.vcluster_kubernetes_image,
    )


def _mailer(settings: Settings) -> Mailer:
    dkim = read_dkim_key(settings.dkim_domain, settings.dkim_selector, settings.dkim_private_key)
    return choose_mailer(settings.smtp_url, settings.mail_from, settings.mail_folder, dkim)


def _webhook_rules(settings: Settings) -> WebhookRules:
    return WebhookRules(
        Destinations.of(allow_private=settings.allow_private_addresses, ports=settings.webhook_ports),
        Patience(
            schedule=read_schedule(settings.webhook_schedule),
            timeout=settings.webhook_timeout_seconds,
            disable_after=settings.webhook_disable_seconds,
        ),
        settings.webhook_days,
    )


def _paths(text: str) -> list[Path]:
    return [Path(part) for part in text.split(":") if part]


def _step_defaults(settings: Settings) -> StepDefaults:
    return StepDefaults(
        limits=Limits(
            seconds=settings.step_timeout_seconds,
            cpus=settings.step_cpus or None,
            memory_bytes=settings.step_memory_bytes,
            file_bytes=settings.step_file_bytes,
            disk_bytes=settings.step_disk_bytes,
            processes=settings.step_processes,
        ),
        network=settings.step_network,
        path=settings.step_path,
        artifact_bytes=settings.artifact_bytes,
        image=settings.container_image,
    )
