"""Applies batches to buckets: load, change in memory, write, match the outcome. Uses no Kafka client."""
