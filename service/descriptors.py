"""File descriptors: each stream takes one, and the usual soft limit of 1,024 is for programs that use select()."""

import resource

SPARE = 256
"""Beside streams: answers under way, Redis, logs."""


def allow(wanted: int) -> int:
    """Raises this process's limit to `wanted` and some spare ones, or as far as it may; returns what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + SPARE if hard == resource.RLIM_INFINITY else min(wanted + SPARE, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return soft
