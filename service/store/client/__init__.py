"""Connects to Redis: pipelining, cluster, pub/sub, errors. Knows no value's meaning."""
