"""Tests of service/web/auth."""
