"""The audit log: who did what to which thing, from where, and what changed. Written in the transaction of the change
itself, by the frame: rooms only say which fields of their tables may be shown in it.
"""

from app.kernel.audit.acts import Act, acting, concern, current_act, name_actor, note_change, write_audit
from app.kernel.audit.changes import audited
from app.kernel.audit.entries import REFUSED, SUCCEEDED, AuditEntry, make_audit_partitions, old_audit, write_entries

__all__ = [
    "REFUSED",
    "SUCCEEDED",
    "Act",
    "AuditEntry",
    "acting",
    "audited",
    "concern",
    "current_act",
    "make_audit_partitions",
    "name_actor",
    "note_change",
    "old_audit",
    "write_audit",
    "write_entries",
]
