"""Kafka clients, topics and their metadata. Knows no record's meaning."""
