"""`python -m deploy.ready PORT`: a health check that asks `/readyz` at a port of loopback. Never retries."""

import http.client
import sys
from collections.abc import Sequence

from deploy.demo.processes.ports import HOST

ANSWER_S = 2.0


def is_ready(port: int) -> bool:
    """Whether `/readyz` at the port answers 200 within two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(argv: Sequence[str]) -> int:
    """Runs the command. Returns the exit status: 0 when the process is ready, else 1."""
    return 0 if is_ready(int(argv[1])) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
