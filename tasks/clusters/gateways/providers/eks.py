"""Amazon EKS by boto3, which is loaded only where it is used, and only ever by the keys that a cluster was given."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from app.clusters import Access
from tasks.clusters.gateways.providers.base import Order, ProviderAway, ProviderFailed, Ready, Working

_SECONDS: Final = 20.0
_NOT_FOUND: Final = "ResourceNotFoundException"
_IN_USE: Final = "ResourceInUseException"
_PASSING: Final = frozenset(
    {"ThrottlingException", "ServerException", "ServiceUnavailableException", "InternalFailure", "RequestTimeout"}
)
_FAILED: Final = frozenset({"FAILED", "CREATE_FAILED", "DELETE_FAILED", "DEGRADED"})

Client = Any


class EksProvider:
    """`endpoint_url` is AWS's own unless given."""

    def __init__(self, endpoint_url: str | None = None) -> None:
        self._endpoint_url = endpoint_url

    def ensure(self, order: Order) -> Working | Ready:
        with self._client(order) as client:
            cluster = _find(lambda: client.describe_cluster(name=order.key)["cluster"])
            if cluster is None:
                _create(client, order)
                return Working(5, "control plane", "EKS makes the control plane", 30)
            waiting = _ensure_control_plane(client, order, cluster) or _ensure_groups(client, order)
            return waiting or Ready(_access_of(order, cluster))

    def remove(self, order: Order) -> Working | None:
        with self._client(order) as client:
            cluster = _find(lambda: client.describe_cluster(name=order.key)["cluster"])
            if cluster is None:
                return None
            names = _find(lambda: client.list_nodegroups(clusterName=order.key)["nodegroups"]) or []
            for name in names:
                _remove_group(client, order, name)
            if names:
                return Working(30, "node groups", f"EKS removes {len(names)} node groups", _SECONDS)
            if cluster["status"] != "DELETING":
                _find(lambda: client.delete_cluster(name=order.key))
            return Working(70, "control plane", "EKS removes the control plane", _SECONDS)

    @contextmanager
    def _client(self, order: Order) -> Iterator[Client]:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        # Not tried again here: what an answer was lost of may have been done, which the next turn looks for.
        config = Config(connect_timeout=5, read_timeout=15, retries={"max_attempts": 0}, proxies={})
        client = boto3.session.Session().client(
            "eks",
            region_name=order.parameters["region"],
            endpoint_url=self._endpoint_url,
            aws_access_key_id=order.credentials["access_key_id"],
            aws_secret_access_key=order.credentials["secret_access_key"],
            config=config,
        )
        try:
            yield client
        except ClientError as error:
            raise _told(error) from error
        except BotoCoreError as error:
            raise ProviderAway("AWS cannot be reached.") from error
        finally:
            client.close()


def _create(client: Client, order: Order) -> None:
    wanted = order.parameters
    version = {"version": wanted["version"].removeprefix("v")} if wanted.get("version") else {}
    client.create_cluster(
        name=order.key,
        roleArn=wanted["role_arn"],
        resourcesVpcConfig={"subnetIds": wanted["subnet_ids"]},
        # What is asked twice, after an answer that was lost, is made once.
        clientRequestToken=str(order.cluster_id),
        tags={"headrace-cluster": str(order.cluster_id)},
        **version,
    )


def _ensure_control_plane(client: Client, order: Order, cluster: dict[str, Any]) -> Working | None:
    status, version = cluster["status"], (order.parameters.get("version") or "").removeprefix("v")
    if status in _FAILED:
        raise ProviderFailed(f"EKS says that the control plane is {status}.")
    if status != "ACTIVE":
        return Working(20, "control plane", f"The control plane is {status}", 30)
    if version and cluster["version"] != version:
        client.update_cluster_version(name=order.key, version=version)
        return Working(20, "control plane", f"EKS brings the control plane to {version}", 30)
    return None


def _ensure_groups(client: Client, order: Order) -> Working | None:
    waiting: Working | None = None
    wanted = order.parameters["node_groups"]
    for number, group in enumerate(wanted):
        percent = 50 + 45 * number / len(wanted)
        busy = _ensure_group(client, order, group)
        if busy is not None and waiting is None:
            waiting = Working(percent, "node groups", busy, _SECONDS)
    return waiting


def _ensure_group(client: Client, order: Order, group: dict[str, Any]) -> str | None:
    """Look, then make or change a node group; returns what it waits for."""
    name = group["name"]
    sizes = {"minSize": group["min"], "maxSize": max(group["max"], 1), "desiredSize": group["desired"]}
    found = _find(lambda: client.describe_nodegroup(clusterName=order.key, nodegroupName=name)["nodegroup"])
    if found is None:
        client.create_nodegroup(
            clusterName=order.key,
            nodegroupName=name,
            scalingConfig=sizes,
            subnets=order.parameters["subnet_ids"],
            instanceTypes=[group["instance_type"]],
            nodeRole=order.parameters["node_role_arn"],
        )
        return f"EKS makes the node group {name}"
    if found["status"] in _FAILED:
        raise ProviderFailed(f"EKS says that the node group {name} is {found['status']}.")
    if found["status"] != "ACTIVE":
        return f"The node group {name} is {found['status']}"
    if found["scalingConfig"] != sizes:
        client.update_nodegroup_config(clusterName=order.key, nodegroupName=name, scalingConfig=sizes)
        return f"EKS resizes the node group {name}"
    return None


def _remove_group(client: Client, order: Order, name: str) -> None:
    found = _find(lambda: client.describe_nodegroup(clusterName=order.key, nodegroupName=name)["nodegroup"])
    if found is not None and found["status"] != "DELETING":
        _find(lambda: client.delete_nodegroup(clusterName=order.key, nodegroupName=name))


def _access_of(order: Order, cluster: dict[str, Any]) -> Access:
    try:
        ca = base64.b64decode(cluster["certificateAuthority"]["data"]).decode("ascii", "replace")
    except (KeyError, binascii.Error):
        raise ProviderFailed("EKS gives no certificate authority that can be read.") from None
    keys = {name: order.credentials[name] for name in ("access_key_id", "secret_access_key")}
    maker = {"kind": "eks", "region": order.parameters["region"], "cluster": order.key, **keys}
    return Access(cluster["endpoint"].rstrip("/"), ca=ca, token_maker=maker)


def _find(ask: Callable[[], Any]) -> Any:
    """Return what is there, or None where EKS does not know it; what is in use meanwhile is not gone yet."""
    from botocore.exceptions import ClientError

    try:
        return ask()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code not in (_NOT_FOUND, _IN_USE):
            raise
        return None


def _told(error: Any) -> ProviderFailed | ProviderAway:
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = str(told.get("Code", "")), str(told.get("Message", ""))[:300]
    if code in _PASSING or status == 429 or status >= 500:
        return ProviderAway(f"AWS cannot answer now: {code}")
    return ProviderFailed(f"AWS refuses: {code}: {message}")
