"""Kafka to counters: the process, its commands, and what all its rooms share (settings, errors, metrics)."""
