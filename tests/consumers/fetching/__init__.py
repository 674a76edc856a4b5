"""Tests of consumers/fetching."""
