"""Tests of consumers/engine."""
