"""Tests of consumers/catalogue."""
