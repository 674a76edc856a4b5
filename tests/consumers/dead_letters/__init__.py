"""Tests of consumers/dead_letters."""
