"""Coordinates background work: bucket leases, priority of live work, restarts of Redis. Never applies events."""
