"""Where clusters come from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask.views import MethodView

from app.clusters.providers import PROVIDERS, ProviderKind
from app.clusters.routes.base import blueprint
from app.clusters.schemas.providers import ProviderSchema
from app.http import platform, requires


@blueprint.route("/cluster-providers")
class ClusterProviders(MethodView):
    """The providers of clusters."""

    @blueprint.response(200, ProviderSchema(many=True))
    @requires()
    def get(self) -> list[dict[str, Any]]:
        """What each provider needs, and whether it can be used here"""
        return [_show(kind) for kind in PROVIDERS.values()]


def _show(kind: ProviderKind) -> dict[str, Any]:
    obstacle = kind.find_obstacle(platform().allow_local_clusters)
    told = {"name": kind.name, "description": kind.description, "managed": kind.managed}
    shown = [asdict(field) for field in kind.fields]
    return told | {"usable": obstacle is None, "reason": obstacle, "fields": shown}
