"""Tests of consumers/decoding."""
