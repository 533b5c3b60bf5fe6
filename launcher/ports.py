"""Free ports on the loopback address."""

import errno
import socket

LOOPBACK = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """`preferred` when nobody listens on it, else any free port of 127.0.0.1; 0 prefers none."""
    with socket.socket() as probe:
        # As servers do: a port whose last connections linger in TIME_WAIT is free, one with a listener is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, preferred))
        except OSError as error:
            if preferred == 0 or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
