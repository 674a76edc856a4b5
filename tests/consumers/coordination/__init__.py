"""Tests of consumers/coordination."""
