"""Tests of consumers/backfill."""
