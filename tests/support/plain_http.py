"""One request without TLS. Reading the system's certificates, as httpx does for any, takes 20 to 60 ms of CPU."""

from typing import Any

import httpx

TIMEOUT_S = 10.0


def get(url: str, timeout_s: float = TIMEOUT_S, **how: Any) -> httpx.Response:
    """Raises httpx.TransportError."""
    return httpx.get(url, timeout=timeout_s, trust_env=False, verify=False, **how)
