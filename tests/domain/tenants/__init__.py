"""Tests of service/domain/tenants."""
