"""Tests of consumers/ingest."""
