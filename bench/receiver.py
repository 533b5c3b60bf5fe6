"""A receiver of webhooks, in a process of its own: it answers at once and keeps what came when.

`python -m bench.receiver` prints the port. A line `die N` lets the paths /0 … /N-1 answer nothing from now on, `live`
ends that; `tell` prints what came since the last time, as JSON: `[path, seconds since the epoch, body]` for each.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
LENGTH = b"content-length:"


class Receiver:
    """What came, and who answers nothing."""

    def __init__(self) -> None:
        self.got: list[tuple[str, float, str]] = []
        self.dead = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode().removeprefix("/")
                body = await reader.readexactly(_length_of(head))
                self.got.append((path, time.time(), body.decode()))
                if path.isdigit() and int(path) < self.dead:
                    continue
                writer.write(OK)
        writer.close()

    def obey(self, words: list[str]) -> None:
        """Do what a line says, and answer it with a line."""
        match words:
            case ["die", count]:
                self.dead = int(count)
            case ["live"]:
                self.dead = 0
            case _:
                pass
        told, self.got = self.got, ([] if words == ["tell"] else self.got)
        print(json.dumps(told if words == ["tell"] else []), flush=True)


def _length_of(head: bytes) -> int:
    line = next(line for line in head.lower().split(b"\r\n") if line.startswith(LENGTH))
    return int(line.removeprefix(LENGTH))


async def _main() -> None:
    receiver, loop = Receiver(), asyncio.get_running_loop()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        receiver.obey(line.split())


if __name__ == "__main__":
    asyncio.run(_main())
