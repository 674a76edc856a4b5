"""Batches of the broker as records, each offset once, whatever the bytes are. Knows no topic's meaning."""
