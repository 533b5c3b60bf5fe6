"""What all gateways share that speak HTTP to servers of others: bounded in time and size, and never to where it must
not go. Whoever sends a request to an address that a user wrote sends it through here."""

from tasks.gateways.aws import sign_aws
from tasks.gateways.errors import (
    AnswerTooLarge,
    AnswerUnreadable,
    CertificateRefused,
    DestinationRefused,
    OutgoingError,
    TooSlow,
    Unreachable,
    UpgradeRefused,
)
from tasks.gateways.http import HttpClient, Reply, Streamed
from tasks.gateways.lookup import look_up
from tasks.gateways.tls import make_tls
from tasks.gateways.websocket import WebSocket
from tasks.gateways.wire import Timeouts

__all__ = [
    "AnswerTooLarge",
    "AnswerUnreadable",
    "CertificateRefused",
    "DestinationRefused",
    "HttpClient",
    "OutgoingError",
    "Reply",
    "Streamed",
    "Timeouts",
    "TooSlow",
    "Unreachable",
    "UpgradeRefused",
    "WebSocket",
    "look_up",
    "make_tls",
    "sign_aws",
]
