"""Kafka to counters: the consumer process, its commands, and the settings, errors and metrics that they share."""
