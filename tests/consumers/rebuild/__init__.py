"""Tests of consumers/rebuild."""
