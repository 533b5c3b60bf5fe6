"""What goes wrong in rooms."""

from __future__ import annotations

from app.kernel.errors import AlreadyExists, Conflict, Forbidden, Invalid


class RoomInactive(Conflict):
    """The room is not active: nobody writes in it."""


class RoomStands(Conflict):
    """The room is as you want it to be."""


class RoomFull(Conflict):
    """The room has as many members as it may have."""


class RoomClosed(Forbidden):
    """A direct room has the members it was made with."""


class AlreadyInRoom(AlreadyExists):
    """The user is in the room."""


class MessageStands(Conflict):
    """The message cannot be changed as it stands."""


class SentOut(Forbidden):
    """You were sent out of this room; somebody in it has to bring you in again."""


class AttachmentTaken(AlreadyExists):
    """This id belongs to another attachment; choose a new one."""


class AttachmentsFull(Invalid):
    """The application keeps as many bytes of attachments as it may."""

    code = "QUOTA_EXCEEDED"
