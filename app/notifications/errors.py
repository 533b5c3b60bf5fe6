"""Why something with notifications is refused, or cannot be done."""

from __future__ import annotations

from app.kernel.errors import AlreadyExists, AuthRequired, Conflict, Permanent, Refusal


class IllegalMove(Conflict):
    """The notification is not in a state that allows this."""


class NameTaken(AlreadyExists):
    """There is one of this name already."""


class AddressSuppressed(AlreadyExists):
    """Nothing is sent to this address already."""


class NoProvider(Conflict):
    """There is no email provider: set one by PUT /clients/email-providers."""


class AttachmentTaken(AlreadyExists):
    """There is a file with this id already, and it is somebody else's: choose another id."""


class AttachmentsFull(Refusal):
    """There are as many bytes of attachments here as there may be."""

    code = "QUOTA_EXCEEDED"
    status = 422


class NotificationGone(Permanent):
    """There is no such notification any more."""

    code = "NOTIFICATION_NOT_FOUND"


class CallbackNotSigned(AuthRequired):
    """No provider of this address has sent this: its signature is missing or wrong, or the provider has none set."""

    code = "INVALID_CREDENTIALS"
