"""Tests of service/web/docs."""
