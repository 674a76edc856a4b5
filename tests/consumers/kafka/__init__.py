"""Tests of consumers/kafka."""
