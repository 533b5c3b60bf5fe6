"""The states of notifications and of their recipients, and what else is one of a few words. Pure.

notification  scheduled ──▶ pending ──▶ processing ──▶ sent | partial | failed · processing ──▶ retrying ──▶ processing
              scheduled, pending, retrying ──▶ cancelled · failed, partial, cancelled ──▶ pending (a retry)
recipient     pending ──▶ sending ──▶ sent | retrying | failed · sending ──▶ pending (another provider is tried)
              pending, retrying ──▶ suppressed | cancelled
              pending, retrying, failed ──▶ sent (the provider turned out to have it)
              sent, delivered, bounced ──▶ what is said of it later, in whatever order that comes: complained is above
              bounced, and that above delivered · failed, cancelled ──▶ pending (a retry)
"""

from __future__ import annotations

from typing import Final

EMAIL: Final = "email"
WEBSOCKET: Final = "websocket"
WEBHOOK: Final = "webhook"
TYPES: Final = (EMAIL, WEBSOCKET, WEBHOOK)

SCHEDULED: Final = "scheduled"
PENDING: Final = "pending"
PROCESSING: Final = "processing"
RETRYING: Final = "retrying"
SENT: Final = "sent"
PARTIAL: Final = "partial"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
STATUSES: Final = (SCHEDULED, PENDING, PROCESSING, RETRYING, SENT, PARTIAL, FAILED, CANCELLED)
ENDED: Final = (SENT, PARTIAL, FAILED, CANCELLED)

SENDING: Final = "sending"
DELIVERED: Final = "delivered"
BOUNCED: Final = "bounced"
COMPLAINED: Final = "complained"
SUPPRESSED: Final = "suppressed"
RECIPIENT_STATUSES: Final = (
    *(PENDING, SENDING, RETRYING, SENT, DELIVERED, BOUNCED, COMPLAINED, FAILED, SUPPRESSED, CANCELLED),
)
WAITING: Final = (PENDING, SENDING, RETRYING)
STARTABLE: Final = (PENDING, RETRYING)
REACHED: Final = (SENT, DELIVERED, COMPLAINED)
LOST: Final = (FAILED, BOUNCED)
TOLD: Final = (SENT, DELIVERED, BOUNCED, COMPLAINED)

LOW: Final = "low"
NORMAL: Final = "normal"
HIGH: Final = "high"
URGENT: Final = "urgent"
PRIORITIES: Final = (LOW, NORMAL, HIGH, URGENT)
# Of jobs in one queue those of the lowest number begin first.
JOB_PRIORITIES: Final = {LOW: 8, NORMAL: 5, HIGH: 4, URGENT: 3}

KINDS: Final = ("smtp", "ses", "sendgrid", "mailgun", "postmark")
UNSUBSCRIBED: Final = "unsubscribed"
MANUAL: Final = "manual"
SUPPRESSION_REASONS: Final = (UNSUBSCRIBED, BOUNCED, COMPLAINED, MANUAL)

TAKEN: Final = "success"
NOT_TAKEN: Final = "failed"
UNKNOWN: Final = "unknown"
OUTCOMES: Final = (TAKEN, NOT_TAKEN, UNKNOWN)

DEFERRED: Final = "deferred"
OPENED: Final = "opened"
CLICKED: Final = "clicked"
REPORTS: Final = (DELIVERED, DEFERRED, BOUNCED, OPENED, CLICKED, COMPLAINED, UNSUBSCRIBED)

MOVES: Final = {
    SCHEDULED: {PROCESSING, CANCELLED},
    PENDING: {PROCESSING, CANCELLED},
    PROCESSING: {RETRYING, SENT, PARTIAL, FAILED, CANCELLED},
    RETRYING: {PROCESSING, CANCELLED},
    SENT: set[str](),
    PARTIAL: {PENDING},
    FAILED: {PENDING},
    CANCELLED: {PENDING},
}
RECIPIENT_MOVES: Final = {
    PENDING: {SENDING, RETRYING, SENT, FAILED, SUPPRESSED, CANCELLED},
    SENDING: {PENDING, RETRYING, SENT, FAILED, CANCELLED},
    RETRYING: {SENDING, RETRYING, SENT, FAILED, SUPPRESSED, CANCELLED},
    SENT: {DELIVERED, BOUNCED, COMPLAINED},
    DELIVERED: {BOUNCED, COMPLAINED},
    BOUNCED: {DELIVERED, COMPLAINED},
    COMPLAINED: set[str](),
    FAILED: {PENDING, SENT},
    SUPPRESSED: set[str](),
    CANCELLED: {PENDING},
}
OWNED: Final = "num_nonnulls(organization_id, client_id) = 1"
