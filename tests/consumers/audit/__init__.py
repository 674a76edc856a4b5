"""Tests of consumers/audit."""
