"""Tests of consumers/catalogue/foreign."""
