"""A client of a stream that is a bare socket, so that it can freeze: its kernel takes what fits, and it nothing.

Run as a program, with a host and a port, it sends what is on its stdin and reads until the stream ends.
"""

import re
import socket
import sys
import time

IDENTITY = re.compile(rb"^id: [0-9a-f]+\.([0-9]+)\.", re.MULTILINE)

SMALL_BYTES = 4_096
"""Of its receive buffer: with the usual 128 KiB a kernel takes minutes of small blocks for a program that is frozen."""


class SlowReader:
    """One connection; blocking. Without `buffer_bytes` its kernel takes what it takes for any program."""

    def __init__(self, host: str, port: int, request: bytes, buffer_bytes: int | None = SMALL_BYTES) -> None:
        self.socket = socket.socket()
        if buffer_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.settimeout(30)
        self.socket.connect((host, port))
        self.socket.sendall(request)
        self._left = b""

    def versions_until(self, version: int) -> list[int]:
        """Every version it reads, the last of them at least this one."""
        seen = [0]
        while seen[-1] < version:
            chunk = self.socket.recv(65_536)
            if not chunk:
                raise AssertionError(f"the stream has ended after {seen}")
            *blocks, self._left = (self._left + chunk).split(b"\n\n")
            seen += [int(found) for block in blocks for found in IDENTITY.findall(block)]
        return seen[1:]

    def close(self) -> None:
        """Leaves."""
        self.socket.close()


def main() -> None:
    """Reads for as long as the server likes."""
    host, port = sys.argv[1:]
    connection = socket.create_connection((host, int(port)))
    connection.sendall(sys.stdin.buffer.read())
    while connection.recv(65_536):
        print(time.monotonic(), flush=True)


if __name__ == "__main__":
    main()
