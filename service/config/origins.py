"""Reads origins of web pages (RFC 6454) from a setting. Never decides what a page of an origin may do."""

from urllib.parse import urlsplit


def origins_in(setting: str) -> tuple[str, ...]:
    """Returns the origins of a comma-separated setting."""
    return tuple(filter(None, (part.strip() for part in setting.split(","))))


def origin_problem(origin: str) -> str:
    """Returns why browsers would never send this origin, "" for a valid one."""
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
