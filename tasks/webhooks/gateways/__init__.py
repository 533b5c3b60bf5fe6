"""The outside world of webhooks: their receivers."""

from tasks.webhooks.gateways.receivers import Receivers

__all__ = ["Receivers"]
