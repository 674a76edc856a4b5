"""Tests of service/domain/counting."""
