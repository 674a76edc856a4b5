"""Fuzzers of what strangers send."""
