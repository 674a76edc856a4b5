"""Tests of service/web/push."""
