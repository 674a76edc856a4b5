"""Tests of service/domain/catalogue."""
