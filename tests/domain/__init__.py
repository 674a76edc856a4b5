"""Tests of service/domain."""
