"""Free ports on loopback. Never a fixed number, so runs beside each other don't meet."""

from deploy.demo.processes.ports import HOST, accepts, free_ports

__all__ = ["HOST", "accepts", "free_port", "free_ports"]


def free_port() -> int:
    """One port that nobody listened on a moment ago."""
    return free_ports(1)[0]
