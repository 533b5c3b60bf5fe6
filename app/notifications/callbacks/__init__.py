"""What providers say of mails that they have taken, each in its own form: checked who said it, then read. Pure."""

from app.notifications.callbacks import mailgun, postmark, sendgrid, ses, sns
from app.notifications.callbacks.base import Incoming, Said, Source, Unreadable, Unsigned

SOURCES: dict[str, Source] = {"mailgun": mailgun, "postmark": postmark, "sendgrid": sendgrid}

__all__ = ["SOURCES", "Incoming", "Said", "Source", "Unreadable", "Unsigned", "ses", "sns"]
