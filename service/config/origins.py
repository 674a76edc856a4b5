"""Origins of web pages as browsers send them (RFC 6454), from a setting. Never decides what they may do."""

from urllib.parse import urlsplit


def origins_in(setting: str) -> tuple[str, ...]:
    """The origins of a setting, which has them with commas between."""
    return tuple(filter(None, (part.strip() for part in setting.split(","))))


def origin_problem(origin: str) -> str:
    """What keeps this from being an origin as browsers send it, or "" for a good one."""
    try:
        url = urlsplit(origin)
        exact = f"{url.scheme}://{url.netloc}"
        port = url.port
    except ValueError:
        return f"{origin!r} is no origin"
    if url.scheme not in ("http", "https") or not url.hostname or "@" in url.netloc or "*" in origin or exact != origin:
        return f"{origin!r} must be exactly scheme://host or scheme://host:port, without a path"
    if origin != origin.lower() or port == {"http": 80, "https": 443}[url.scheme]:
        return f"{origin!r} must be as browsers send it: in lower case, without the scheme's own port"
    return ""
