"""`python -m deploy.ready PORT`: whether the process at this port of loopback does its work, for health checks."""

import http.client
import sys
from collections.abc import Sequence

from deploy.demo.processes.ports import HOST

ANSWER_S = 2.0


def is_ready(port: int) -> bool:
    """Whether `/readyz` there says yes within two seconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(argv: Sequence[str]) -> int:
    """The command line. Returns the exit status: 0 when it is ready, 1 when not."""
    return 0 if is_ready(int(argv[1])) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
