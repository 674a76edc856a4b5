"""Tests of service/domain/conditions."""
