"""Tests of consumers/catalogue_sync."""
