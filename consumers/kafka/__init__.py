"""Kafka clients, topics and their metadata. Never interprets a record."""
