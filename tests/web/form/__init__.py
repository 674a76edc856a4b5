"""Tests of service/web/form."""
