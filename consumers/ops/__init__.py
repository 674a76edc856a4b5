"""Health probes, metrics server, Redis clock and Redis monitoring. Never changes counters."""
