"""Applies batches to buckets: load, change in memory, write, match the outcome. Knows no Kafka client and no
command."""
