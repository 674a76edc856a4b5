"""Tests of service/queries."""
