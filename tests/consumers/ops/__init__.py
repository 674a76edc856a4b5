"""Tests of consumers/ops."""
