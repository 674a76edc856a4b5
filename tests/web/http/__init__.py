"""Tests of service/web/http."""
